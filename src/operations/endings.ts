/** Endings of files that a report can be written as; the last three, of run records and verdicts alone, are for other tools. */
export const reportEndings = ['.html', '.md', '.csv', '.json', '.svg', '.png', '.openmetrics.txt', '.bmf.json', '.benchmark.json'] as const;
export type ReportEnding = (typeof reportEndings)[number];
