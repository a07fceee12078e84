import { z } from 'zod';
import { blocksNeeded, minimumDetectableEffect } from '../statistics/power.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { quantile } from '../statistics/order-statistics.ts';
import { meanInterval } from '../statistics/student.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Block } from '../contract/verdict.ts';
import { isBusy, otherWork, statedPower, staysBusy } from '../decide/judge-blocks.ts';
import { defaultLooks } from '../decide/sequential.ts';
import type { BlockOutcome } from '../measure/pair-block.ts';
import { compareHosts } from '../measure/same-host.ts';

/** What equal arms showed, of one cell on one host. Changes are relative. */
export const calibrationSchema = z.object({
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** Parts of the fingerprint; absent in files of earlier versions. */
  identity: z.record(z.string(), z.unknown()).optional(),
  cell: z.string().max(500),
  name: z.string().max(500),
  backend: z.string().max(100),
  measuredAt: z.iso.datetime(),
  /** What a block's effect is ({@link blockDefinition}); absent where it is 1. */
  blockDefinition: z.int().optional(),
  /** ln(new/base) of each A/A block. */
  logRatios: z.array(z.number()).min(3).max(10_000),
  /** Of one block. */
  standardDeviation: z.number(),
  /** Mean of the blocks: what a perfect pairing would make 0. */
  bias: z.number(),
  /** 95th percentile of |θ| over {@link floorBlocks}. */
  floor: z.number(),
  /** Smallest effect that all looks' blocks show with 90 % power. */
  minimumDetectableEffect: z.number(),
});
export type Calibration = z.infer<typeof calibrationSchema>;

const validDays = 14;
/** 1: the mean of the rounds' log-ratios; 2: `blockEffect`; 3: of 0.2 s and single calls. Floors of another are not those of today's blocks. */
const blockDefinition = 3;
const lookTail = defaultLooks.tail;
const mostBlocks = defaultLooks.looks.at(-1)!;
/** Before so many blocks a look is held to more than the floor: at 2 degrees of freedom its interval is wider still. */
export const floorBlocks = 5;

interface QuietBlocks {
  /** How many are wanted. */
  readonly blocks: number;
  /** As in a comparison. */
  readonly busyFrom: number;
  /** Told before each block how many there are so far. */
  step(block: number): void;
}

/** ln(new/base) of blocks of equal arms; those on a busy host are measured again. @throws WORKER_FAILED; BUSY where the host stays busy */
export async function quietBlocks(
  cell: string,
  measure: (index: number) => Promise<BlockOutcome>,
  { blocks, busyFrom, step }: QuietBlocks,
): Promise<number[]> {
  const logRatios: number[] = [];
  const setAside: Block[] = [];
  for (let index = 0; logRatios.length < blocks; index++) {
    step(logRatios.length);
    const outcome = await measure(index);
    if (outcome.state === 'fault') throw new AttnswapError('WORKER_FAILED', `${cell}: ${outcome.fault.status}: ${outcome.fault.reason}`);
    if (!isBusy(outcome.block, busyFrom)) logRatios.push(outcome.block.logRatio);
    else if (staysBusy(setAside.push(outcome.block), logRatios.length)) {
      const hint = 'calibrate while nothing else runs';
      throw new AttnswapError('BUSY', `${cell}: busy: ${otherWork(setAside, index + 1)}`, { hint });
    }
  }
  return logRatios;
}

/**
 * Noise floor and smallest detectable effect from A/A blocks. The floor is the 95th percentile of |mean| over 9999 resamples of
 * {@link floorBlocks}. Biased low from few blocks (a tenth or so at 20), as rare bad blocks may not be among them.
 */
export function calibrate(
  head: Pick<Calibration, 'fingerprint' | 'identity' | 'cell' | 'name' | 'backend' | 'measuredAt'>,
  logRatios: readonly number[],
  seed: number,
): Calibration {
  const { mean, standardDeviation } = meanInterval(logRatios, lookTail);
  const generator = seededGenerator(seed, `floor of ${head.cell}`);
  const means = Array.from({ length: 9999 }, () => {
    let sum = 0;
    for (let draw = 0; draw < floorBlocks; draw++) sum += logRatios[drawBelow(generator, logRatios.length)]!;
    return Math.abs(sum / floorBlocks);
  });
  return {
    ...head,
    blockDefinition,
    logRatios: [...logRatios],
    standardDeviation,
    bias: mean,
    floor: Math.expm1(quantile(means, 0.95)),
    minimumDetectableEffect: Math.expm1(
      minimumDetectableEffect({ standardDeviation, blocks: mostBlocks, tail: lookTail, power: statedPower }),
    ),
  };
}

/** What is to be compared: a cell, or a whole model, by the id that it has in every run. */
interface Subject {
  readonly id: string;
  readonly backend: string;
}

interface CalibratedHost {
  /** As a record describes it. */
  readonly host: unknown;
  readonly now: Date;
}

/** The host of a calibration, as a record describes one. */
export function hostOf({ fingerprint: sha256, identity }: Calibration): unknown {
  return { fingerprint: { sha256, identity } };
}

/**
 * The calibration that holds for a cell on a host: the cell's own, else the noisiest among cells of its backend and about its size;
 * undefined where there is none of such blocks that is younger than 14 days, or all are of other hosts. None holds for whole models.
 */
export function calibrationFor(calibrations: readonly Calibration[], subject: Subject, host: CalibratedHost): Calibration | undefined {
  const valid = validOn(calibrations, host);
  const own = valid.filter((calibration) => calibration.cell === subject.id).at(-1);
  const isAlike = ({ cell, backend }: Calibration) => backend === subject.backend && areAlike(workOf(cell), workOf(subject.id));
  return own ?? valid.filter(isAlike).toSorted((a, b) => b.floor - a.floor)[0];
}

/** What to tell of a subject that no calibration holds for, by its id. */
export function notCalibrated(id: string): string {
  const remedy = 'run attnswap calibrate on a suite that includes this cell';
  const ofModels = 'compare the model with itself to see how much equal runs differ on this host';
  return `not calibrated for this: ${workOf(id) === undefined ? ofModels : remedy}`;
}

function validOn(calibrations: readonly Calibration[], { host, now }: CalibratedHost): readonly Calibration[] {
  const oldest = now.getTime() - validDays * 86_400_000;
  return calibrations.filter((calibration) => {
    const at = Date.parse(calibration.measuredAt);
    // One that is dated ahead tells that a clock was wrong, so its age is unknown.
    const isCurrent = at >= oldest && at <= now.getTime() && (calibration.blockDefinition ?? 1) === blockDefinition;
    return isCurrent && compareHosts(hostOf(calibration), host).differing.length === 0;
  });
}

/** Multiply-adds of a cell's dense logits, by its id; undefined for a whole model. */
function workOf(id: string): number | undefined {
  const sizes = / b(\d+) h(\d+)\/\d+ q(\d+) k(\d+) d(\d+) /.exec(id)?.slice(1);
  return sizes?.reduce((product, size) => product * Number(size), 1);
}

/** Short calls are noisier than long ones: cells are alike up to four times the work, which is twice the length. */
function areAlike(a: number | undefined, b: number | undefined): boolean {
  return a !== undefined && b !== undefined && Math.max(a, b) <= 4 * Math.min(a, b);
}

/** Why a margin cannot be judged on this host, or undefined where it can: it must be twice what the host can tell. */
export function refusalOf(margin: number, calibration: Calibration): string | undefined {
  const detectable = calibration.minimumDetectableEffect;
  if (margin >= 2 * detectable) return undefined;
  const { standardDeviation, cell, measuredAt } = calibration;
  const blocks = blocksNeeded({ standardDeviation, effect: Math.log1p(margin / 2), tail: lookTail, power: statedPower });
  const share = (value: number) => `${Number((100 * value).toPrecision(3))} %`;
  const need = Number.isFinite(blocks) ? `${blocks} blocks would be needed` : 'no number of blocks would suffice';
  const least = Math.ceil(2000 * detectable) / 1000;
  const remedy = `use a margin of ${share(least)} or more, or calibrate again on a quieter machine`;
  const source = `calibrated on ${cell}, ${measuredAt.slice(0, 10)}`;
  return `the margin of ${share(margin)} is less than twice the ${share(detectable)} that this host can detect with ${mostBlocks} blocks: ${need}; ${remedy} (${source})`;
}
