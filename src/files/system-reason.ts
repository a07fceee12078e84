import { getSystemErrorMap } from 'node:util';

/** What the system says of a file, in words: "no such file or directory (ENOENT)", without the call and the path that Node adds. */
export function systemReason(error: unknown): string {
  const { errno, code, message } = error as NodeJS.ErrnoException;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  return known === undefined ? message : `${known[1]} (${code})`;
}
