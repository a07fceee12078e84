import { AttnswapError } from '../../contract/errors.ts';
import type { Adapter, OpenModel } from '../../contract/adapter.ts';
import type { ModelAttention, SeenCall } from '../../contract/model-attention.ts';
import { dtypes } from '../../contract/shape.ts';
import { requireDimensions } from '../../inputs/dimension-names.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { tokensOf } from '../sites/read-site.ts';
import type { Site } from '../sites/site.ts';
import { captureFault } from '../swap/capture.ts';
import { hostedCases, settableDimensions } from './cases.ts';
import type { HostedCase } from './cases.ts';

/** A model that a worker holds, and its attention. */
export interface HostedModel {
  /** As the user named it. */
  readonly path: string;
  readonly model: OpenModel & { readonly attention: ModelAttention };
  readonly sites: readonly Site[];
  /** What attends and is no site, by file and line. */
  readonly unknown: ReadonlyArray<{ readonly node: string; readonly reason: string }>;
  /** Modules that were searched. */
  readonly modules: number;
  /** Of the model: its modules, parameters and buffers. */
  readonly sha256: string;
}

/** Opens a model in a worker. @throws UNSUPPORTED where it cannot be opened, or its attention cannot be looked into */
export async function openHosted(path: string, adapter: Adapter, backend: string): Promise<HostedModel['model']> {
  const opened = await adapter.openModel?.({ backend, model: path });
  if (opened === undefined) throw unsupported(`${path}: ${backend} cannot open models of this kind`, 'use --backend torch-cpu');
  if ('unsupported' in opened) throw unsupported(opened.unsupported);
  const { attention } = opened;
  if (attention !== undefined) return { ...opened, attention };
  await opened.dispose();
  throw unsupported(`${path}: ${backend} cannot inspect the attention of models`, 'use --backend torch-cpu');
}

function unsupported(message: string, hint = 'attnswap doctor shows the versions of PyTorch and transformers'): AttnswapError {
  return new AttnswapError('UNSUPPORTED', message, { hint });
}

/**
 * Finds every attention of a model by running it on drawn inputs, whole and padded, and holds what each computed against float64.
 * @throws USAGE for a size of a dimension that the model lacks; UNSUPPORTED where none of it goes through what the worker looks into
 */
export async function findHostedSites(path: string, model: HostedModel['model'], sizes: DimensionSizes = {}): Promise<HostedModel> {
  const { attention, inputs } = model;
  requireDimensions(sizes, settableDimensions(inputs), path);
  const seen = new Map<string, SeenBehind[]>();
  const faults = new Map<string, string>();
  const elsewhere = new Map<string, string>();
  for (const each of hostedCases(inputs, { longest: attention.longest, sizes })) {
    const run = await attention.sites(each.feeds).catch((error: unknown) => {
      throw notRun(path, each, error);
    });
    if (!run.faithful)
      throw unsupported(
        `${path}: ${attention.model}: its outputs change when its attention is observed (${each.style}, ${each.length} tokens)`,
      );
    for (const { module, calls } of run.sites)
      seen.set(module, [...(seen.get(module) ?? []), ...calls.map((call) => ({ ...call, past: each.past }))]);
    for (const { where, what } of run.elsewhere) elsewhere.set(where, what);
    const readable = run.sites.filter(({ calls }) => calls.every(isReadable)).map(({ module }) => module);
    await judgeCalls(attention, each, readable, faults);
  }
  const unknown = [...elsewhere].map(([node, what]) => ({ node, reason: `${what}: does not go through the attention interface` }));
  if (seen.size === 0) {
    const [first] = unknown;
    if (first === undefined) {
      const why = 'it has no attention: none of its modules computed any in any run';
      throw unsupported(`${path}: ${attention.model}: ${why}`, 'models without attention, such as Mamba, have nothing to swap');
    }
    const hint = 'such attention is found in an ONNX export: attnswap sites model.onnx';
    throw unsupported(`${path}: ${attention.model}: ${first.node}: ${first.reason}`, hint);
  }
  const { modules, sha256 } = await attention.proof();
  const sites = [...seen].map(([module, calls], site) => siteOf(site, module, calls, faults.get(module)));
  return { path, model, sites, unknown, modules, sha256 };
}

/** A model that fails on drawn inputs: what they were, as only its user knows what it takes. */
function notRun(path: string, { batch, length, past, style }: HostedCase, error: unknown): unknown {
  if (!(error instanceof AttnswapError) || error.code !== 'WORKER_FAILED') return error;
  const where = `batch ${batch}, ${length} tokens${past === 0 ? '' : ` behind ${past}`}, ${style === 'whole' ? 'no padding' : `padded on the ${style}`}`;
  return new AttnswapError('WORKER_FAILED', `${path}: does not run on random inputs (${where}): ${error.message}`, {
    cause: error,
    hint: '--dim sequence=64 sets the number of tokens; other inputs can be declared in a module.py:build (docs/pytorch.md)',
  });
}

/** A call, and how many tokens the model had in its cache. */
type SeenBehind = SeenCall & { readonly past: number };

/** Whether float64 can judge it. */
function isReadable({ dtype, heads, kvHeads }: SeenCall): boolean {
  return (dtypes as readonly string[]).includes(dtype) && heads % kvHeads === 0;
}

async function judgeCalls(attention: ModelAttention, { feeds }: HostedCase, modules: readonly string[], faults: Map<string, string>) {
  if (modules.length === 0) return;
  for (const call of await attention.capture(feeds, modules)) {
    const fault = faults.has(call.module) ? undefined : captureFault(call);
    if (fault !== undefined) faults.set(call.module, fault);
  }
}

function siteOf(site: number, node: string, calls: readonly SeenBehind[], fault: string | undefined): Site {
  const same = <Key extends 'heads' | 'kvHeads' | 'headDim' | 'scale' | 'dtype'>(key: Key) =>
    calls.every((call) => call[key] === calls[0]![key]) ? calls[0]![key] : null;
  const causal = [...new Set(calls.flatMap((call) => call.causal ?? []))];
  const biased = calls.some((call) => call.biased);
  // What is added to the logits may hide keys, too.
  const isOpen = calls.some((call) => call.biased && call.causal === null && call.queries > 1);
  const windows = calls.flatMap(({ window }) => window ?? []);
  const [window] = windows;
  const facts = { heads: same('heads'), kvHeads: same('kvHeads'), headDim: same('headDim'), dtype: same('dtype'), scale: same('scale') };
  const varied = Object.entries(facts).find(([, value]) => value === null);
  const reason =
    calls.find(({ refused }) => refused !== undefined)?.refused ??
    (isReadable(calls[0]!) ? undefined : `its type is ${facts.dtype}, with ${facts.heads} heads on ${facts.kvHeads}`) ??
    (varied === undefined ? undefined : `its ${varied[0]} changes from call to call`) ??
    (causal.length > 1 && !isOpen ? 'it is causal in only some runs' : undefined) ??
    (windows.some(({ left, right }) => left !== window!.left || right !== window!.right)
      ? 'its window changes from call to call'
      : undefined) ??
    fault;
  // A model may keep keys of its own: of a causal site, a single query then comes behind them.
  const selfAttention = calls.every(({ queries, keys, past }) => queries + past === keys || (queries === 1 && causal[0] === true));
  const changes = (key: 'batch' | 'queries' | 'keys') => calls.some((call) => call[key] !== calls[0]![key]);
  return {
    site,
    node,
    pattern: 'interface',
    ...facts,
    ...(calls[0]!.widths !== undefined && { widths: calls[0]!.widths }),
    mask: biased ? 'bias' : window !== undefined ? 'window' : calls.some(({ padded }) => padded) ? 'padding' : 'none',
    ...(window !== undefined && { window }),
    causal: isOpen ? null : (causal[0] ?? null),
    selfAttention,
    ...(!selfAttention && { crossAttention: true as const }),
    ...tokensOf(calls),
    dynamic: (['batch', 'queries', 'keys'] as const).filter(changes),
    provenLength: Math.max(...calls.map(({ keys }) => keys)),
    swappable: reason === undefined,
    ...(reason !== undefined && { reason }),
  };
}

/** The numbers of the sites that can be swapped. */
export function swappableOf(sites: readonly Site[]): number[] {
  return sites.filter(({ swappable }) => swappable).map(({ site }) => site);
}
