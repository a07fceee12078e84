import type { KernelGraphRequest } from '../../contract/adapter.ts';
import type { Span } from '../../contract/span.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { findVariant } from '../../variants/index.ts';
import { judgeOutput } from '../../variants/judge.ts';
import type { Judgement } from '../../variants/judge.ts';
import { call } from '../cache/drive.ts';
import { openBytes, usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { wholeWindow } from '../sites/long-runs.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import type { SwappableSite } from '../sites/site.ts';
import { kernelRequest } from './swap.ts';
import type { Replacement } from './swap.ts';

/** Queries at the end of all keys. */
const lastQueries = 8;

/** A site and what it becomes. */
type Replaced = readonly [SwappableSite, Replacement];

/**
 * Judges the new attention of sites whose window no run of the model shows whole, apart from the model: one head, and the last queries behind
 * more keys than they see. Sites that ask the same of a kernel are judged once. Without those whose kernel reads the model's own mask and not the
 * window.
 * @returns by number of the site
 */
export async function compareWindows(
  replaced: readonly Replaced[],
  { opset, seed }: { readonly opset: number; readonly seed: number },
  runner: ModelRunner,
): Promise<Map<number, Judgement>> {
  const known = new Map<string, Judgement | undefined>();
  const judgements = new Map<number, Judgement>();
  for (const [{ site, plan }, replacement] of replaced) {
    const { mask: _mask, sinks: _sinks, ...bare } = plan;
    const single = { ...site, heads: 1, kvHeads: 1, selfAttention: false };
    const request = { ...kernelRequest({ site: single, plan: bare }, replacement, opset), softcap: undefined, window: site.window! };
    const key = JSON.stringify(request);
    if (!known.has(key)) known.set(key, await judgeWindow(request, seed, runner));
    const judgement = known.get(key);
    if (judgement !== undefined) judgements.set(site.site, judgement);
  }
  return judgements;
}

async function judgeWindow(
  request: KernelGraphRequest & { readonly window: Span },
  seed: number,
  { adapter, backend }: ModelRunner,
): Promise<Judgement | undefined> {
  const { window, headDim, dtype } = request;
  const variant = findVariant(request.variant);
  const model = variant.takesGate === true ? undefined : adapter.kernelGraph?.(request);
  if (model === undefined || 'unsupported' in model) return undefined;
  const keys = wholeWindow(window);
  const stream = new RandomStream(seed, 'window');
  const draw = (rows: number) =>
    tensorOf(dtype === 'f16' ? 'float16' : 'float32', [1, 1, rows, headDim], stream.fillNormal(new Float32Array(rows * headDim), 1));
  const feeds = { query: draw(lastQueries), key: draw(keys), value: draw(keys) };
  return usingModel(openBytes(model, { adapter, backend }, 'reading'), async (opened) => {
    if (opened.inputs.some(({ name }) => !Object.hasOwn(feeds, name))) return undefined;
    const { output } = await call(opened, feeds);
    const bias = Float32Array.from({ length: lastQueries * keys }, (_, at) => {
      const behind = Math.floor(at / keys) + keys - lastQueries - (at % keys);
      return behind > window.left || -behind > window.right ? -Infinity : 0;
    });
    const [query, key, value] = [feeds.query, feeds.key, feeds.value].map(numbersOf) as [Float32Array, Float32Array, Float32Array];
    const shape = { batch: 1, heads: 1, kvHeads: 1, queries: lastQueries, keys, headDim, causal: request.causal, dtype };
    const inputs = { shape, query, key, value, scale: request.scale, bias: { dims: [1, 1, lastQueries, keys] as const, values: bias } };
    return judgeOutput(numbersOf(output!), inputs, variant, request.parameters, { rows: 'all', ambiguousShare: 1 });
  });
}
