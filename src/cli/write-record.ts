import type { CommonFlags } from './console.ts';
import { json, writeOutputs } from './outputs.ts';
import type { Output } from './outputs.ts';

/** What the record of a migration or a tuning is written as. */
export const recordOutputs = ['.json', '.csv', '.md', '.html'] as const;

/** Writes the record of a migration's or a tuning's folder as files for others. */
export async function writeRecord(
  folder: string,
  record: unknown,
  files: ReadonlyArray<Output<(typeof recordOutputs)[number]>>,
  flags: CommonFlags,
): Promise<void> {
  const read = async () => (await import('../report/read-report.ts')).readReport(folder);
  const renderers = {
    '.json': json(record),
    '.csv': async () => (await read()).csv(),
    '.md': async () => (await import('../report/report-markdown.ts')).reportMarkdown((await read()).report),
    '.html': async () => (await import('../report/html/page.ts')).reportPage((await read()).report),
  };
  await writeOutputs(files, renderers, flags);
}
