import type { JudgedClaim } from '../contract/claims.ts';
import { mapped } from './evidence.ts';
import type { Figure, Readers } from './evidence.ts';
import { kernelRatio } from './kernels.ts';
import { modelRatio, testbedRatio } from './whole-model.ts';
import type { Attention } from './whole-model.ts';

/** One way to read a claim. */
export interface Definition extends Readers {
  readonly name: string;
  readonly formula: string;
}

/** What would measure a claim: a model, with further arguments, or a suite. */
export type Measurement = { readonly model: readonly string[] } | { readonly suite: string };

/** A claim of the article, with every definition that it can be read by, the preferred one first. */
export interface Claim extends Pick<JudgedClaim, 'id' | 'words' | 'figure' | 'unit' | 'bound'> {
  readonly definitions: readonly Definition[];
  /** Whether it says nothing of candidates: of a migration, the first phase is then enough. */
  readonly ofOriginal?: true;
  /** Why there may be no figure, and what to run for one. */
  readonly missing: { readonly reason: string; readonly measure: Measurement };
}

/** Of a claim that less does not meet. */
export const least = (value: number) => ({ side: 'least', value }) as const;
/** Of a claim that more does not meet. */
export const most = (value: number) => ({ side: 'most', value }) as const;

/** What a ratio, new over base, means as a figure that is better the larger it is. */
export const speedUp = (ratio: number) => 1 / ratio;
export const saving = (ratio: number) => 1 - ratio;
export const gain = (ratio: number) => 1 / ratio - 1;

/** How formulas say which candidates count. */
export const qualityKept = 'with 98 % of the quality kept';

/** Latency, or peak memory, of whole models that keep their quality. */
export function wholeModel(what: 'latency' | 'memory', wanted: Attention, read: (ratio: number) => number): Readers {
  const [model, testbed] = [modelRatio(what, wanted), testbedRatio(what, wanted)];
  return { migration: (record) => falling(model(record), read), tuning: (record) => falling(testbed(record), read) };
}

/** Latency of kernels alone. */
export function kernelAlone(base: 'dense.fused' | 'dense.naive', wanted: Attention, read: (ratio: number) => number): Readers {
  const kernels = kernelRatio(base, wanted);
  return { run: (record) => falling(kernels(record), read) };
}

/** Figures by a function that falls where they rise, so that their ends change places. */
function falling(figures: readonly Figure[], read: (value: number) => number): Figure[] {
  return mapped(figures, read).map(({ low, high, ...rest }) => ({ ...rest, low: high, high: low }));
}
