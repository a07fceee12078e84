import { ticksPerSecond } from '../host.ts';
import { candidateLarger, exactDistribution } from './mann-whitney.ts';
import type { Rival } from './rival.ts';
import { recordMeans } from './rival.ts';

const count = 10;
const cumulative = exactDistribution(count);

/**
 * Go's benchstat after `go test -count=10`: ten means of a second each, of one process; a change is reported where the two-sided exact
 * Mann–Whitney test has p ≤ 0.05, with no threshold on its size. golang.org/x/perf, benchmath/anone.go and cmd/benchstat (-alpha).
 */
export const benchstat: Rival = {
  name: 'benchstat',
  rule: 'ten means of 1 s; Mann–Whitney p ≤ 0.05',
  record: (host) => recordMeans(host, { count, ticks: ticksPerSecond, warmUpTicks: ticksPerSecond }),
  slower(base, candidate) {
    const u = candidateLarger(base, candidate);
    return 2 * u > count * count && 2 * cumulative[count * count - u]! <= 0.05;
  },
};
