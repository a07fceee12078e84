import { z } from 'zod';
import { blocksNeeded, minimumDetectableEffect } from '../statistics/power.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { quantile } from '../statistics/order-statistics.ts';
import { meanInterval } from '../statistics/student.ts';
import { statedPower } from '../decide/judge-blocks.ts';
import { defaultLooks } from '../decide/sequential.ts';

/** What equal arms showed, of one cell on one host. Changes are relative. */
export const calibrationSchema = z.object({
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  cell: z.string().max(500),
  name: z.string().max(500),
  backend: z.string().max(100),
  measuredAt: z.iso.datetime(),
  /** ln(new/base) of each A/A block. */
  logRatios: z.array(z.number()).min(3).max(10_000),
  /** Of one block. */
  standardDeviation: z.number(),
  /** Mean of the blocks: what a perfect pairing would make 0. */
  bias: z.number(),
  /** 95th percentile of |θ| at the first look. */
  floor: z.number(),
  /** Smallest effect that all looks' blocks show with 90 % power. */
  minimumDetectableEffect: z.number(),
});
export type Calibration = z.infer<typeof calibrationSchema>;

const validDays = 14;
const lookTail = defaultLooks.tail;
const mostBlocks = defaultLooks.looks.at(-1)!;

/**
 * Noise floor and smallest detectable effect from A/A blocks. The floor is the 95th percentile of |mean| over 9999 resamples of as
 * many blocks as the first look takes. Biased low from few blocks (a tenth or so at 20), as rare bad blocks may not be among them.
 */
export function calibrate(
  head: Pick<Calibration, 'fingerprint' | 'cell' | 'name' | 'backend' | 'measuredAt'>,
  logRatios: readonly number[],
  seed: number,
): Calibration {
  const { mean, standardDeviation } = meanInterval(logRatios, lookTail);
  const generator = seededGenerator(seed, `floor of ${head.cell}`);
  const size = defaultLooks.looks[0]!;
  const means = Array.from({ length: 9999 }, () => {
    let sum = 0;
    for (let draw = 0; draw < size; draw++) sum += logRatios[drawBelow(generator, logRatios.length)]!;
    return Math.abs(sum / size);
  });
  return {
    ...head,
    logRatios: [...logRatios],
    standardDeviation,
    bias: mean,
    floor: Math.expm1(quantile(means, 0.95)),
    minimumDetectableEffect: Math.expm1(
      minimumDetectableEffect({ standardDeviation, blocks: mostBlocks, tail: lookTail, power: statedPower }),
    ),
  };
}

/**
 * The calibration that holds for a cell on a host: the cell's own, else the noisiest of its backend; undefined where there is none that
 * is younger than 14 days, or all are of other hosts.
 */
export function calibrationFor(
  calibrations: readonly Calibration[],
  cell: { id: string; backend: string },
  host: { fingerprint: string; now: Date },
): Calibration | undefined {
  const oldest = host.now.getTime() - validDays * 86_400_000;
  const isValid = ({ fingerprint, measuredAt }: Calibration) => {
    const at = Date.parse(measuredAt);
    // One that is dated ahead tells that a clock was wrong, so its age is unknown.
    return fingerprint === host.fingerprint && at >= oldest && at <= host.now.getTime();
  };
  const valid = calibrations.filter(isValid);
  const own = valid.filter((calibration) => calibration.cell === cell.id).at(-1);
  return own ?? valid.filter(({ backend }) => backend === cell.backend).toSorted((a, b) => b.floor - a.floor)[0];
}

/** Why a margin cannot be judged on this host, or undefined where it can: it must be twice what the host can tell. */
export function refusalOf(margin: number, calibration: Calibration): string | undefined {
  const detectable = calibration.minimumDetectableEffect;
  if (margin >= 2 * detectable) return undefined;
  const { standardDeviation } = calibration;
  const blocks = blocksNeeded({ standardDeviation, effect: Math.log1p(margin / 2), tail: lookTail, power: statedPower });
  const share = (value: number) => `${Number((100 * value).toPrecision(3))} %`;
  const need = Number.isFinite(blocks) ? `it would take ${blocks} blocks` : 'no number of blocks would do';
  return `the margin of ${share(margin)} is below twice the ${share(detectable)} that this host can tell with ${mostBlocks} blocks: ${need}`;
}
