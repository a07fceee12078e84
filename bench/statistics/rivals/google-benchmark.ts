import { ticksPerSecond } from '../host.ts';
import { candidateLarger, normalP } from './mann-whitney.ts';
import type { Rival } from './rival.ts';
import { recordMeans } from './rival.ts';

const count = 9;

/**
 * Google Benchmark's tools/compare.py with nine repetitions, the fewest that it calls reliable: means of half a second (the default
 * minimum time) of one process; SciPy's two-sided mannwhitneyu, which is asymptotic from nine on, at its default alpha of 0.05
 * and with no threshold. tools/gbench/report.py, calc_utest and print_utest.
 */
export const googleBenchmark: Rival = {
  name: 'Google Benchmark compare.py',
  rule: 'nine means of 0.5 s; Mann–Whitney p < 0.05',
  record: (host) => recordMeans(host, { count, ticks: ticksPerSecond / 2, warmUpTicks: ticksPerSecond / 2 }),
  slower(base, candidate) {
    const u = candidateLarger(base, candidate);
    return 2 * u > count * count && normalP(u, count) < 0.05;
  },
};
