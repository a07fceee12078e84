import { ticksPerSecond } from '../host.ts';
import { candidateLarger, exactDistribution } from './mann-whitney.ts';
import type { Rival } from './rival.ts';
import { medianOf, recordMeans } from './rival.ts';

const rounds = 2;
const repeats = 5;
const count = rounds * repeats;
const factor = 1.1;
const cumulative = exactDistribution(count);

/**
 * airspeed velocity's `asv continuous` at its defaults: two launches an arm, each five samples of 10 ms after 0.1 s of warm-up; worse
 * where Mann and Whitney's exact two-sided p is below 0.002 and the median has grown by more than the factor 1.1. asv/_stats.py,
 * is_different; asv/commands/compare.py, _is_result_better. Its other test, of disjoint intervals, is for fewer samples.
 */
export const asv: Rival = {
  name: 'asv continuous',
  rule: 'two launches of five samples of 10 ms; Mann–Whitney p < 0.002 and medians apart by a factor over 1.1',
  record(host) {
    const plan = { count: repeats, ticks: ticksPerSecond / 100, warmUpTicks: ticksPerSecond / 10 };
    return Float64Array.from(Array.from({ length: rounds }, () => [...recordMeans(host, plan)]).flat());
  },
  slower(base, candidate) {
    const reversed = count * count - candidateLarger(base, candidate);
    // asv's p leaves the observed U out of the upper tail.
    const p = 2 * reversed < count * count ? cumulative[reversed]! + (cumulative[reversed - 1] ?? 0) : 1;
    return p < 0.002 && medianOf(candidate) > factor * medianOf(base);
  },
};
