import type { Figures } from './figures.ts';

/** The longest name of a benchmark that Bencher takes. */
const longestName = 1024;

/**
 * Bencher Metric Format: measures by benchmark, each a value with its bounds. Latency is nanoseconds, as Bencher's own measure of that name is; the
 * others are measures that Bencher makes when it first sees them.
 */
export function bencherMetrics({ figures }: Figures): string {
  const byBenchmark = Map.groupBy(figures, ({ benchmark }) => benchmark.slice(0, longestName));
  const metrics = [...byBenchmark].map(([benchmark, own]) => [
    benchmark,
    Object.fromEntries(
      own.map(({ measure, value, low, high }) => [
        measure,
        { value, ...(low !== null && { lower_value: low }), ...(high !== null && { upper_value: high }) },
      ]),
    ),
  ]);
  return `${JSON.stringify(Object.fromEntries(metrics), null, 1)}\n`;
}
