import { fileURLToPath } from 'node:url';
import { compareLatency } from '../src/compare/compare-latency.ts';
import { plainRule } from '../src/decide/rule.ts';
import { armOf } from '../src/measure/arm.ts';
import type { CellPlan } from '../src/measure/measure-cell.ts';

/**
 * What attnswap adds to a cell, by its own way of comparing: pairs of fresh processes, a worker and a bare loop over the same calls, both resident and
 * one active at a time, in rounds of ABBA. Two processes one after the other tell little: where memory came to lie alone makes calls some per cent slower
 * or faster, and what else the machine does much more.
 */
export async function againstBareLoop(plan: CellPlan, script: string, blocks: number): Promise<string> {
  const harness = armOf(plan);
  const bare = { ...harness, worker: fileURLToPath(new URL(script, import.meta.url)) };
  const subject = { cell: plan.cell.id, name: plan.cell.id };
  // One look, at the end: the figure is wanted, not the soonest verdict.
  const { comparison } = await compareLatency({ base: bare, new: harness }, subject, plainRule('latency', 0.03), {
    seed: 1,
    floor: null,
    family: 1,
    plan: { looks: [blocks], tail: 0.025 },
    timeoutSeconds: 120,
  });
  const { effect, base, new: through, reason } = comparison;
  if (effect === null || base === null || through === null) throw new Error(reason);
  const ms = (nanoseconds: number) => `${(nanoseconds / 1e6).toFixed(2)} ms`;
  const [estimate, low, high] = [effect.estimate, effect.low, effect.high].map((share) => (1 + share).toFixed(3));
  return `${plan.cell.id}: worker ${ms(through)}, bare loop ${ms(base)}, ratio ${estimate} [${low}, ${high}] over ${blocks} pairs`;
}
