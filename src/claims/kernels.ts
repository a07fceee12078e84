import { z } from 'zod';
import type { CellRecord } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import { nameOf, peakOf } from '../report/cell-facts.ts';
import { ratioOfMedians } from '../report/comparison/ratio.ts';
import { exactly, largestFirst } from './evidence.ts';
import type { Figure } from './evidence.ts';
import { attentionOf } from './whole-model.ts';
import type { Attention } from './whole-model.ts';

type Base = 'dense.fused' | 'dense.naive' | 'dense.tiled';

interface Pair {
  readonly cell: CellRecord;
  readonly base: CellRecord;
  /** `window.tiled:w=256 on onnx-cpu at 4096 tokens, against dense.fused`. */
  readonly of: string;
}

/** Cells of the wanted attention, each with the cell of `base` that has the same setting; the longest first. */
function pairsOf({ cells }: RunRecord, base: Base, wanted: Attention, at?: number): Pair[] {
  const measured = cells.filter(({ status, shape }) => status === 'ok' && (at === undefined || shape.queries === at));
  const bases = new Map(measured.filter((cell) => nameOf(cell) === base).map((cell) => [settingOf(cell), cell]));
  return measured
    .filter((cell) => nameOf(cell) !== base && wanted(nameOf(cell)))
    .flatMap((cell): Pair[] => {
      const own = bases.get(settingOf(cell));
      if (own === undefined) return [];
      const aside = cell.variant.name === own.variant.name ? '' : '; quality is not considered';
      return [{ cell, base: own, of: `${placeOf(cell)}, against ${base}${aside}` }];
    })
    .toSorted((a, b) => b.cell.shape.queries - a.cell.shape.queries);
}

function settingOf({ backend, shape, pass, inputs, seed }: CellRecord): string {
  return JSON.stringify([backend, shape, pass, inputs, seed]);
}

function placeOf(cell: CellRecord): string {
  return `${nameOf(cell)} on ${cell.backend} at ${cell.shape.queries} tokens`;
}

/** Latency of kernels alone, new over base; the longest length first, then the fastest. */
export function kernelRatio(base: Base, wanted: Attention) {
  return (run: RunRecord): Figure[] =>
    pairsOf(run, base, wanted)
      .flatMap((pair) => timed(pair).map((figure) => ({ length: pair.cell.shape.queries, figure })))
      .toSorted((a, b) => b.length - a.length || a.figure.value - b.figure.value)
      .map(({ figure }) => figure);
}

function timed({ cell, base, of }: Pair): Figure[] {
  const ratio = cell.latency === undefined || base.latency === undefined ? null : ratioOfMedians(cell.latency, base.latency);
  return ratio === null ? [] : [{ of, value: ratio.value, low: ratio.interval?.low ?? null, high: ratio.interval?.high ?? null }];
}

/** Peak memory of kernels alone at one length, new over base, of one launch each; the least first. */
export function kernelPeakRatio(base: Base, wanted: Attention, at: number) {
  return (run: RunRecord): Figure[] =>
    pairsOf(run, base, wanted, at)
      .flatMap(({ cell, base: other, of }) => {
        const [own, before] = [peakOf(cell), peakOf(other)];
        return own === undefined || before === undefined || !(before > 0) ? [] : [exactly(of, own / before, 'one launch each')];
      })
      .toSorted((a, b) => a.value - b.value);
}

/** How many times faster a kernel is in half precision than in single; the most first. */
export function halfPrecisionSpeedUp({ cells }: RunRecord): Figure[] {
  const measured = cells.filter(({ status, latency }) => status === 'ok' && latency !== undefined);
  const inSingle = (cell: CellRecord) => JSON.stringify([nameOf(cell), settingOf({ ...cell, shape: { ...cell.shape, dtype: 'f32' } })]);
  const single = new Map(measured.filter(({ shape }) => shape.dtype === 'f32').map((cell) => [inSingle(cell), cell]));
  return largestFirst(
    measured
      .filter(({ shape }) => shape.dtype !== 'f32')
      .flatMap((cell) => {
        const base = single.get(inSingle(cell));
        // Single over half.
        return base === undefined ? [] : timed({ cell: base, base: cell, of: `${placeOf(cell)}, f32 against ${cell.shape.dtype}` });
      }),
  );
}

const clocked = z.object({ availableCores: z.number().positive(), volatile: z.object({ cpuMhz: z.number().positive() }) });

/**
 * Processor cycles that a gate of one pair takes: the time that a gated kernel takes more than dense attention in the same tiles, as cycles of all
 * cores, over the pairs. Its ends are those of the two medians at their farthest. The least first.
 */
export function cyclesOfGates(run: RunRecord): Figure[] {
  const host = clocked.safeParse(run.host);
  if (!host.success) return [];
  const cyclesPerNs = (host.data.volatile.cpuMhz / 1000) * host.data.availableCores;
  return pairsOf(
    run,
    'dense.tiled',
    attentionOf((variant) => variant === 'gated'),
  )
    .flatMap(({ cell, base }) => {
      const { work, latency, variant } = cell;
      if (work === undefined || latency === undefined || base.latency === undefined) return [];
      // A gate by block serves many pairs, and one that drops keys saves time elsewhere.
      if (variant.params['block'] !== 1 || variant.params['sparsity'] !== 0) return [];
      const cycles = (fresh: number, before: number) => ((fresh - before) * cyclesPerNs) / work.weightedPairs;
      return [
        {
          of: `${placeOf(cell)}, against dense.tiled`,
          value: cycles(latency.medianNs, base.latency.medianNs),
          low: cycles(latency.ciNs.low, base.latency.ciNs.high),
          high: cycles(latency.ciNs.high, base.latency.ciNs.low),
        },
      ];
    })
    .toSorted((a, b) => a.value - b.value);
}
