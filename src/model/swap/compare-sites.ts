import type { ModelProto } from 'onnx-buf';
import type { Adapter } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { findVariant } from '../../variants/index.ts';
import { judgeOutput } from '../../variants/judge.ts';
import type { Judgement } from '../../variants/judge.ts';
import { captureFault, distanceFromDefinition, openForCapture } from './capture.ts';
import type { CapturedCall } from './capture.ts';
import type { Value } from '../graph/graph-builder.ts';
import { opsetOf } from '../graph/graph-index.ts';
import type { ModelSites } from '../sites/find-sites.ts';
import type { SwappableSite } from '../sites/site.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { compareWindows } from './compare-windows.ts';
import { wholeWindow } from '../sites/long-runs.ts';
import { ownWidth } from '../sites/views.ts';
import { distinctCases } from '../sites/probe-cases.ts';
import { probeInputs } from '../sites/probe-inputs.ts';
import type { ProbeCase } from '../sites/probe-inputs.ts';
import { gateOf, newAttention } from './swap.ts';
import type { NewAttention, Replacement } from './swap.ts';

/** How near a site's new attention is to what its variant is defined to give, on the queries, keys and values that it read. */
export interface SiteComparison {
  readonly site: number;
  /** The largest ‖output − reference‖ / ‖reference‖ of a run. */
  readonly relative: number;
  /** What rounding explains, by the variant's own error budget, in that run. */
  readonly budget: number;
  /**
   * How far the original's output is from attention that does not round, as the new one, by its size: the largest of a run. Absent where the original
   * does not round.
   */
  readonly unrounded?: number;
  /** Why it is not what it should be, where it is not. */
  readonly reason?: string;
}

/** A swapped model, and how it came to be. */
export interface SwappedModel {
  readonly sites: ModelSites;
  readonly swapped: ModelProto;
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Of a gate that nothing gives. */
  readonly seed: number;
}

/**
 * Runs a swapped model on the small inputs that found its sites, and judges each new attention by its variant's float64 reference on
 * what the site itself read: whatever stands before or behind a site, quantisers included, cannot blur it.
 * @throws as opening a model does
 */
export async function compareSites(
  file: OnnxFile,
  model: SwappedModel,
  runner: ModelRunner,
  given: DimensionSizes = {},
): Promise<SiteComparison[]> {
  const { sites, swapped, replacements } = model;
  const worst = new Map<number, Judgement>();
  const unrounded = new Map<number, Unrounding>();
  for (const { body, probe } of sites.scopes) {
    const wanted = [...replacements.keys()].map((number) => sites.swappable.get(number)!).filter(({ plan }) => plan.body === body);
    if (wanted.length === 0) continue;
    const beside = louderAttention(model, wanted, runner.adapter);
    await usingModel(openForCapture({ proto: swapped, original: sites.proto, beside }, wanted, file, runner), async (opened) => {
      for (const at of [...distinctCases(opened.inputs, probe, given), reachingCase(probe, wanted, replacements)]) {
        // Sizes may be fixed, or bound to each other: what does not run says nothing.
        const calls = await opened.capture(probeInputs(opened.inputs, at, given)).catch(() => undefined);
        for (const [site, { beside: louder, ...call }] of calls ?? [])
          for (const each of [call, ...(louder === undefined ? [] : [{ ...call, ...louder }])]) {
            const judgement = judgeCall(model, site, each);
            if (judgement !== undefined && isWorse(judgement, worst.get(site))) worst.set(site, judgement);
          }
      }
    });
    const rounding = wanted.filter(({ plan }) => plan.rounding !== undefined);
    if (rounding.length > 0)
      await usingModel(openForCapture(sites, rounding, file, runner), async (original) => {
        for (const at of distinctCases(original.inputs, probe, given)) {
          const calls = await original.capture(probeInputs(original.inputs, at, given)).catch(() => undefined);
          for (const [site, call] of calls ?? []) if (readsNumbers(call)) unrounded.set(site, unroundingOf(call, unrounded.get(site)));
        }
      });
  }
  const beyond = [...replacements]
    .map(([site, replacement]) => [sites.swappable.get(site)!, replacement] as const)
    .filter(
      ([
        {
          site: { window },
        },
      ]) => window !== undefined && wholeWindow(window) > longestWindow,
    );
  for (const [site, judgement] of await compareWindows(beyond, { opset: opsetOf(sites.proto), seed: model.seed }, runner))
    if (isWorse(judgement, worst.get(site))) worst.set(site, judgement);
  return [...replacements.keys()].map((site) => {
    const { ok, relative, budget, reason = 'it exceeds its budget' } = worst.get(site) ?? unjudged;
    const rounds = sites.swappable.get(site)!.plan.rounding !== undefined;
    const { fault, difference } = unrounded.get(site) ?? { fault: rounds ? 'no run shows what its quantizers do' : undefined };
    return {
      ...{ site, relative, budget },
      ...(difference !== undefined && { unrounded: difference }),
      ...((!ok || fault !== undefined) && { reason: ok ? fault! : reason }),
    };
  });
}

/** Of a site that no run reached with numbers: what was not checked has not passed. */
export const unjudged = { ok: false, relative: Infinity, budget: 0, reason: 'no run shows its output' };

/** What an original that rounds shows of its rounding. */
interface Unrounding {
  readonly difference: number;
  /** Why its output is not what its quantizers alone make of attention. */
  readonly fault?: string | undefined;
}

function unroundingOf({ rounding, ...plain }: CapturedCall, known: Unrounding | undefined): Unrounding {
  const fault = captureFault({ ...plain, ...(rounding !== undefined && { rounding }) });
  return {
    difference: Math.max(known?.difference ?? 0, distanceFromDefinition(plain).relative),
    fault: known?.fault ?? (fault && `its quantizers do not explain what the original gives: ${fault}`),
  };
}

/**
 * The new attention of sites with a soft cap once more, of queries so large that their logits are about twice the cap: those of drawn inputs are
 * small, and pass a cap nearly unchanged.
 */
export function louderAttention(
  { sites: { proto }, replacements, seed }: SwappedModel,
  wanted: readonly SwappableSite[],
  adapter: Adapter,
): Map<SwappableSite, NewAttention> {
  const capped = wanted.filter(({ site }) => site.softcap !== undefined);
  return new Map(
    capped.map((each) => {
      const { site, plan } = each;
      const placing = { adapter, seed, prefix: `attnswap/louder${site.site}/`, opset: opsetOf(proto) };
      const own = ownWidth(plan.query, site.headDim);
      const [scale, cap] = [Math.abs(site.scale) * Math.sqrt(own), site.softcap!];
      const louder = newAttention(each, replacements.get(site.site)!, placing, (graph, { query, key }) => {
        const mean = (tensor: Value) => graph.op('ReduceMean', [graph.op('Abs', [tensor])], { keepdims: 0 });
        const inverse = graph.op('Reciprocal', [graph.op('Mul', [mean(query), mean(key)])]);
        // The root mean square of normal numbers is √(π/2) times their mean size, and zeros behind them make both means smaller.
        const size = (2 * cap * (own / site.headDim) ** 2) / (scale * (Math.PI / 2));
        const factor = graph.scalar(size, site.dtype === 'f16' ? 'f16' : 'f32');
        return graph.op('Mul', [query, graph.op('Mul', [inverse, factor])]);
      });
      return [each, louder];
    }),
  );
}

/** Most tokens of a run: the reference takes the square of them. */
const longestCase = 160;
/** Most tokens of one that shows a window whole. */
const longestWindow = 1200;

/** A padded run long enough for blocks, regions or windows to end within it, of the variant and of the model, where that is not too long. */
function reachingCase(probe: ProbeCase, wanted: readonly SwappableSite[], replacements: SwappedModel['replacements']): ProbeCase {
  const sizes = [...replacements.values()].flatMap(({ parameters }) =>
    Object.values(parameters).filter((value) => typeof value === 'number'),
  );
  const windows = wanted.flatMap(({ site: { window } }) => (window === undefined ? [] : [wholeWindow(window)]));
  const whole = windows.filter((tokens) => tokens <= longestWindow);
  const length = Math.max(probe.length, Math.min(longestCase, 4 * Math.max(0, ...sizes) + 1), ...whole);
  return { ...probe, batch: 3, length, past: 0, style: 'right', seed: 7 };
}

function isWorse(judgement: Judgement, known: Judgement | undefined): boolean {
  if (known === undefined || judgement.ok !== known.ok) return known === undefined || !judgement.ok;
  return judgement.relative > known.relative;
}

/** Undefined where what came before left no numbers: a sequence that begins with padding may. */
function judgeCall({ sites, replacements, seed }: SwappedModel, number: number, { output, ...read }: CapturedCall): Judgement | undefined {
  const { variant, parameters, scaleFactor = 1 } = replacements.get(number)!;
  if (!readsNumbers(read)) return undefined;
  const { site } = sites.swappable.get(number)!;
  const gate = findVariant(variant).takesGate === true ? { gate: gateOf(site, parameters['rank'], seed) } : {};
  const inputs = { ...read, ...gate, scale: read.scale * scaleFactor };
  const rows = inputs.shape.queries > longestCase ? { count: 512, seed: 1 } : ('all' as const);
  return judgeOutput(output, inputs, findVariant(variant), parameters, { rows, ambiguousShare: 1 });
}

function readsNumbers({ query, key, value }: Pick<CapturedCall, 'query' | 'key' | 'value'>): boolean {
  return [query, key, value].every((values) => values.every(Number.isFinite));
}
