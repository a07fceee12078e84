/** Endings of files that a report can be written as. */
export const reportEndings = ['.html', '.md', '.csv', '.json', '.svg', '.png'] as const;
