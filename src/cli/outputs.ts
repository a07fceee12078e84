import { InvalidArgumentError } from 'commander';
import { remark } from './console.ts';
import type { CommonFlags } from './console.ts';
import type { ReportEnding } from '../operations/endings.ts';
import type { OptionSpec } from './declare.ts';
import { safeJson } from '../text/untrusted.ts';

/** What files are written as, by their ending. */
export type Ending = ReportEnding | '.junit.xml' | '.sarif';

/** A file to write. */
export interface Output<Known extends Ending = Ending> {
  readonly path: string;
  readonly as: Known;
}

/** `--out <file>`, which may be repeated: the ending says what is written. Another ending is refused before anything runs. */
export function outputs<Known extends Ending>(
  endings: readonly Known[],
  what: string,
): OptionSpec<ReadonlyArray<Output<Known>> | undefined> {
  const parse = (text: string, before: ReadonlyArray<Output<Known>> = []) => {
    // The longest: `.bmf.json` ends in `.json` too.
    const as = endings.filter((ending) => text.endsWith(ending)).toSorted((a, b) => b.length - a.length)[0];
    if (as === undefined) throw new InvalidArgumentError(`expected a file name ending in ${endings.join(', ')}`);
    return [...before, { path: text, as }];
  };
  return { value: '<file>', writes: 'file', help: `${what} (repeatable): ${endings.join(' ')}`, parse };
}

/** The option that one ending had for itself, whatever the file was called. */
export function oldOutput<Known extends Ending>(as: Known): OptionSpec<ReadonlyArray<Output<Known>> | undefined> {
  return { value: '<file>', writes: 'file', help: '', deprecated: `use --out file${as}`, parse: (path) => [{ path, as }] };
}

/** Writes every file that was asked for, and says so. @throws FILE_UNWRITABLE */
export async function writeOutputs<Known extends Ending>(
  files: ReadonlyArray<Output<Known>>,
  renderers: Readonly<Record<Known, () => string | Promise<string>>>,
  flags: CommonFlags,
): Promise<void> {
  if (files.length === 0) return;
  const { writeWhole } = await import('../files/whole-file.ts');
  for (const { path, as } of files) {
    await writeWhole(path, await renderers[as]());
    remark(`written: ${path}`, flags);
  }
}

/** JSON of which every character can be seen; it reads back as the same value. */
export function json(value: unknown): () => string {
  return () => `${safeJson(value)}\n`;
}
