import { normalQuantile } from '../../../src/statistics/normal.ts';
import { studentQuantile } from '../../../src/statistics/student.ts';
import { ticksPerSecond } from '../host.ts';
import type { Rival } from './rival.ts';
import { momentsOf, recordMeans } from './rival.ts';

const count = 100;
const noiseThreshold = 0.01;
const criticalT = studentQuantile(0.975, 2 * count - 2);
const criticalZ = normalQuantile(0.975);

/**
 * criterion.rs at its defaults: 3 s of warm-up, 100 samples in 5 s; «regressed» where the t-test on the means has p < 0.05 and the
 * whole 95 % interval of the relative change of the mean lies above the noise threshold of 1 %. src/analysis/compare.rs,
 * src/report.rs. It bootstraps both distributions 100 000 times; of 100 samples each they are Student's and the
 * delta method's to within what those resamples stray, and these stand in for them.
 */
export const criterion: Rival = {
  name: 'criterion.rs',
  rule: '100 samples in 5 s; t-test p < 0.05 and interval above 1 %',
  record: (host) => recordMeans(host, { count, ticks: (5 * ticksPerSecond) / count, warmUpTicks: 3 * ticksPerSecond }),
  slower(base, candidate) {
    const before = momentsOf(base);
    const after = momentsOf(candidate);
    const t = (after.mean - before.mean) / Math.sqrt((before.variance + after.variance) / count);
    const ratio = after.mean / before.mean;
    const error = ratio * Math.sqrt((before.variance / before.mean ** 2 + after.variance / after.mean ** 2) / count);
    return t > criticalT && ratio - 1 - criticalZ * error > noiseThreshold;
  },
};
