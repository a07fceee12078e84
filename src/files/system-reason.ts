import { getSystemErrorMap } from 'node:util';

/**
 * What the system says of a file, in words: "no such file or directory (ENOENT)", without the call that Node adds, and with the path only where
 * it is not that of `named`, the file that the message names.
 */
export function systemReason(error: unknown, named?: string): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, code, message, path } = error as NodeJS.ErrnoException;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  if (known === undefined) return message;
  const other = named === undefined || path === undefined || path === named ? '' : `${path}: `;
  return `${other}${known[1]} (${code})`;
}
