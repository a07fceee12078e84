import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { compareOutputs } from '../model/compare-outputs.ts';
import type { OutputComparison } from '../model/compare-outputs.ts';
import { readOnnxFile, writeOnnxFile } from '../model/onnx-file.ts';
import { parseReplacements, parseSites } from '../migration/parse-replacements.ts';
import { proveUnchanged } from '../model/prove.ts';
import { swapSites } from '../model/swap.ts';
import type { Replacement } from '../model/swap.ts';
import { formatVariant } from '../variants/index.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { ExitCode } from './console.ts';
import { digits, printable } from './format.ts';
import { loadModel } from './sites.ts';
import type { ModelFlags } from './sites.ts';

export interface SwapFlags extends ModelFlags {
  readonly variant: readonly string[];
  readonly site?: string;
  readonly out: string;
  readonly seed: number;
}

/** Largest relative difference of an output where the attention was replaced by the same mathematics. */
const exactTolerance = 1e-5;

/** Writes a model with other attention at the chosen sites, and the proof that nothing else changed. */
export async function swap(path: string, flags: SwapFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const { file, runner, sites } = await loadModel(path, flags, adapters);
  const chosen = flags.site === undefined ? [...sites.swappable.keys()] : parseSites(flags.site);
  const replacements = parseReplacements(flags.variant, chosen, runner.adapter);
  if (replacements.size === 0 || sites.probe === undefined)
    throw new AttnswapError('UNSUPPORTED', `${path}: no site can be swapped`, { hint: `attnswap sites ${path} says why` });
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: flags.seed });
  const comparison = await compareOutputs(file, { original: sites.proto, swapped }, runner, { first: sites.probe, given: flags.dim });
  refuseInexact(
    path,
    replacements,
    comparison,
    sites.sites.some(({ dtype }) => dtype === 'f16'),
  );
  await writeOnnxFile(flags.out, swapped, file);
  const proof = proveUnchanged(sites.proto, (await readOnnxFile(flags.out)).proto);
  const changes = [...replacements].map(([site, replacement]) => ({ site, variant: nameOf(replacement) }));
  if (flags.json === true) {
    printJson({ out: flags.out, changes, proof, comparison, rewrittenForOpset13: sites.rewritten });
    return exitCodes.pass;
  }
  for (const { site, variant } of changes) print(`site ${site}: ${printable(sites.sites[site]!.node)} → ${variant}`);
  print(
    `unchanged: ${proof.nodesKept} nodes and ${proof.initializersKept} initializers, byte for byte (sha256 ${proof.sha256.slice(0, 12)}); ` +
      `${proof.nodesRemoved.length} nodes removed, ${proof.nodesAdded} added`,
  );
  if (sites.rewritten.length > 0) print(`brought to opset 13 first: ${sites.rewritten.length} nodes rewritten, with the same results`);
  const sizes = comparison.runs.map(({ batch, length }) => `${batch} × ${length}`).join(', ');
  print(`outputs differ by ${digits(comparison.largest)} of their size at most (drawn inputs, batch × length: ${sizes})`);
  print(`written: ${flags.out}`);
  return exitCodes.pass;
}

function nameOf({ variant, kernel, parameters }: Replacement): string {
  return formatVariant({ variant, kernel, parameters });
}

/** Dense attention for dense attention must give the same outputs. */
function refuseInexact(path: string, replacements: ReadonlyMap<number, Replacement>, { largest }: OutputComparison, half: boolean): void {
  const exact = [...replacements.values()].every(({ variant }) => variant === 'dense');
  if (!exact || half || largest <= exactTolerance) return;
  const message = `${path}: dense kernels changed the outputs by ${digits(largest)} of their size, expected at most ${exactTolerance}; nothing was written`;
  throw new AttnswapError('WORKER_FAILED', message, { hint: 'please report this model: attnswap sites MODEL --json' });
}
