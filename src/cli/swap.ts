import { rm, stat } from 'node:fs/promises';
import type { ModelProto } from 'onnx-buf';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { compareOutputs } from '../model/compare-outputs.ts';
import type { OutputComparison } from '../model/compare-outputs.ts';
import { compareSites } from '../model/compare-sites.ts';
import type { SiteComparison } from '../model/compare-sites.ts';
import type { ModelSites } from '../model/find-sites.ts';
import { readOnnxFile, writeOnnxFile } from '../model/onnx-file.ts';
import type { OnnxFile } from '../model/onnx-file.ts';
import { exactnessOf } from '../migration/exactness.ts';
import { driftSize } from '../migration/quality-of.ts';
import { swapOnItems } from '../migration/swap-on-items.ts';
import type { SwapOnItems } from '../migration/swap-on-items.ts';
import { parseReplacements, parseSites } from '../migration/parse-replacements.ts';
import { proveUnchanged } from '../model/prove.ts';
import type { SwapProof } from '../model/prove.ts';
import type { SwappableSite } from '../model/site.ts';
import { swapSites } from '../model/swap.ts';
import type { Replacement } from '../model/swap.ts';
import { formatVariant } from '../variants/index.ts';
import { loadItems } from './capture.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { ExitCode } from './console.ts';
import { digits } from '../text/figures.ts';
import { printable } from './format.ts';
import { loadModel } from './sites.ts';
import type { ModelFlags } from './sites.ts';

export interface SwapFlags extends ModelFlags {
  readonly variant: readonly string[];
  readonly site?: string;
  readonly out: string;
  readonly seed: number;
  readonly data?: readonly string[];
  readonly tokenizer?: string;
  readonly lengths?: readonly number[];
  readonly items?: number;
}

/** Writes a model with other attention at the chosen sites, and the proof that nothing else changed. */
export async function swap(path: string, flags: SwapFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  await requireOtherFile(path, flags.out);
  const loaded = await loadModel(path, flags, adapters);
  const { file, runner, sites } = loaded;
  const chosen = flags.site === undefined ? [...sites.swappable.keys()] : parseSites(flags.site);
  const replacements = parseReplacements(flags.variant, chosen, runner.adapter);
  if (replacements.size === 0 || sites.probe === undefined)
    throw new AttnswapError('UNSUPPORTED', `${path}: no site can be swapped`, { hint: `attnswap sites ${path} says why` });
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: flags.seed });
  const replaced = [...replacements.keys()].map((number) => sites.swappable.get(number)!);
  const compared = { original: sites.proto, swapped, replaced };
  const comparison = await compareOutputs(file, compared, runner, { first: sites.probe, given: flags.dim });
  const atSites = await compareSites(file, { sites, swapped, replacements, seed: flags.seed }, runner, flags.dim);
  refuseWrong(path, atSites);
  refuseInexact(path, { sites, replacements, comparison });
  const { data } = flags;
  const items = data === undefined ? null : await loadItems(loaded, { ...flags, data }, 8);
  const onData = items && (await swapOnItems({ ...loaded, swapped, replacements, seed: flags.seed }, items));
  refuseOnData(path, onData);
  const proof = await writeProven(flags.out, { sites, swapped, file });
  const changes = [...replacements].map(([site, replacement]) => ({ site, variant: nameOf(replacement) }));
  if (flags.json === true) {
    printJson({ out: flags.out, changes, proof, atSites, comparison, onData, rewrittenForOpset13: sites.rewritten });
    return exitCodes.pass;
  }
  for (const { site, variant } of changes) print(`site ${site}: ${printable(sites.sites[site]!.node)} → ${variant}`);
  print(
    `unchanged: ${proof.nodesKept} nodes and ${proof.initializersKept} initializers, byte for byte (sha256 ${proof.sha256.slice(0, 12)}); ` +
      `${proof.nodesRemoved.length} nodes removed, ${proof.nodesAdded} added`,
  );
  if (sites.rewritten.length > 0) print(`brought to opset 13 first: ${sites.rewritten.length} nodes rewritten, with the same results`);
  const most = atSites.reduce((largest, { relative }) => Math.max(largest, relative), 0);
  print(`each new attention is what its definition gives on what the site reads, within ${digits(most)} of its size`);
  for (const line of comparisonLines(comparison, replaced)) print(line);
  if (onData !== null) print(`your data: ${printable(onDataText(onData))}`);
  print(`written: ${flags.out}`);
  return exitCodes.pass;
}

/** How far outputs were compared, and what was not. */
function comparisonLines({ runs, notRun, varied, largest }: OutputComparison, replaced: readonly SwappableSite[]): string[] {
  const sizes = [...new Set(runs.map(({ batch, length }) => `${batch} × ${length}`))].join(', ');
  const longest = Math.min(...replaced.map(({ site }) => site.provenLength ?? 0));
  const blind = Math.max(0, ...runs.map(({ blindQueries }) => blindQueries));
  return [
    `outputs differ by ${digits(largest)} of their size at most, in ${runs.length} runs on random inputs (batch × length: ${sizes})`,
    ...(varied.length > 0 ? [`inputs that reach a mask, varied in these runs: ${varied.map(printable).join(', ')}`] : []),
    ...(longest > 0 ? [`masks and sizes hold up to ${longest} tokens`] : []),
    ...(blind > 0 ? [`up to ${blind} queries saw no key: what attention gives them is not defined, and was not compared`] : []),
    ...notRun.map(({ batch, length, reason }) => `the model did not run at batch ${batch}, length ${length}: ${printable(reason)}`),
  ];
}

/** @throws WORKER_FAILED where an exact swap is not exact on the user's own items, or the swapped model does not run on one */
function refuseOnData(path: string, onData: SwapOnItems | null): void {
  if (onData === null || (onData.drift.state === 'measured' && onData.judgement?.outcome !== 'regression')) return;
  throw new AttnswapError('WORKER_FAILED', `${path}: ${onDataText(onData)}; nothing was written`, {
    hint: 'please report this model: attnswap sites MODEL --json',
  });
}

function onDataText({ drift, judgement }: SwapOnItems): string {
  if (drift.state === 'fault') return drift.reasons[0]!;
  if (judgement !== null) return judgement.reason;
  const { output, farthestItem } = drift.outputs.reduce((a, b) => (driftSize(b) > driftSize(a) ? b : a));
  const size = digits(Math.max(...drift.outputs.map(driftSize)));
  return `outputs of ${drift.items} items differ by ${size} of their size on average (output ${output}; most at item ${farthestItem}), which is not judged`;
}

function nameOf({ variant, kernel, parameters }: Replacement): string {
  return formatVariant({ variant, kernel, parameters });
}

/** A swap needs its original for every later comparison. @throws USAGE where both are one file, under whatever names */
async function requireOtherFile(path: string, out: string): Promise<void> {
  const [model, target] = await Promise.all([path, out].map((file) => stat(file).catch(() => undefined)));
  if (model === undefined || target === undefined || model.ino !== target.ino || model.dev !== target.dev) return;
  throw new AttnswapError('USAGE', `${out}: is the model itself, and a swap is proven and compared against its original`, {
    hint: '--out with another name',
  });
}

interface Proving {
  readonly sites: ModelSites;
  readonly swapped: ModelProto;
  readonly file: OnnxFile;
}

/** Proves the model before it is written, and what was written once more; a file that fails is taken back. */
async function writeProven(out: string, { sites, swapped, file }: Proving): Promise<SwapProof> {
  proveUnchanged(sites.proto, swapped);
  await writeOnnxFile(out, swapped, file);
  try {
    return proveUnchanged(sites.proto, (await readOnnxFile(out)).proto);
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

/** New attention must be what its variant is defined to be, on what each site itself reads. */
function refuseWrong(path: string, atSites: readonly SiteComparison[]): void {
  const wrong = atSites.find(({ reason }) => reason !== undefined);
  if (wrong === undefined) return;
  throw new AttnswapError(
    'WORKER_FAILED',
    `${path}: the new attention at site ${wrong.site} is wrong: ${wrong.reason}; nothing was written`,
    {
      hint: 'please report this model: attnswap sites MODEL --json',
    },
  );
}

interface Compared {
  readonly sites: ModelSites;
  readonly replacements: ReadonlyMap<number, Replacement>;
  readonly comparison: OutputComparison;
}

/**
 * Dense attention for dense attention must give the same outputs, but for rounding. A model that quantizes is judged at its sites alone, as no
 * bound on its outputs follows from rounding. Queries that see no key were left out of the comparison.
 */
function refuseInexact(path: string, { sites, replacements, comparison: { largest } }: Compared): void {
  const exactness = exactnessOf(sites, { replacements });
  if (exactness === null || exactness.exception === 'quantized' || largest <= exactness.tolerance) return;
  const message = `${path}: dense kernels changed the outputs by ${digits(largest)} of their size, expected at most ${exactness.tolerance.toExponential()}; nothing was written`;
  throw new AttnswapError('WORKER_FAILED', message, { hint: 'please report this model: attnswap sites MODEL --json' });
}
