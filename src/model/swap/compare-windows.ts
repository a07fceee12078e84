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

/**
 * Judges the new attention of a site whose window no run of the model shows whole, apart from the model: one head, and the last queries behind
 * more keys than they see. Undefined where the kernel reads the model's own mask and not the window.
 */
export async function compareWindow(
  { site, plan: { mask: _mask, sinks: _sinks, ...plan } }: SwappableSite,
  replacement: Replacement,
  { opset, seed }: { readonly opset: number; readonly seed: number },
  { adapter, backend }: ModelRunner,
): Promise<Judgement | undefined> {
  const single = { ...site, heads: 1, kvHeads: 1, selfAttention: false };
  const request = kernelRequest({ site: single, plan }, replacement, opset);
  const model = findVariant(replacement.variant).takesGate === true ? undefined : adapter.kernelGraph?.({ ...request, softcap: undefined });
  if (model === undefined || 'unsupported' in model) return undefined;
  const [window, { headDim }, dtype] = [site.window!, site, request.dtype];
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
    return judgeOutput(numbersOf(output!), inputs, findVariant(replacement.variant), replacement.parameters, {
      rows: 'all',
      ambiguousShare: 1,
    });
  });
}
