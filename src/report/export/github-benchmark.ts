import type { Figures } from './figures.ts';

/** What github-action-benchmark reads as `customSmallerIsBetter`: figures of which smaller is better, each with the half-width of its interval. */
export function githubBenchmark({ name, version, startedAt, figures }: Figures): string {
  const entries = figures
    .filter(({ measure }) => measure !== 'quality')
    .map(({ benchmark, measure, unit, value, low, high }) => ({
      name: `${benchmark} ${measure}`,
      unit,
      value,
      ...(low !== null && high !== null && { range: `± ${Number(((high - low) / 2).toPrecision(3))}` }),
      extra: `${name}, attnswap ${version}, ${startedAt}`,
    }));
  return `${JSON.stringify(entries, null, 1)}\n`;
}
