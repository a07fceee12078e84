import type { AdapterEntry } from '../contract/adapter.ts';
import { findAdapter } from '../measure/plan-cells.ts';
import { findSites } from '../model/find-sites.ts';
import type { ModelSites } from '../model/find-sites.ts';
import { readOnnxFile } from '../model/onnx-file.ts';
import type { OnnxFile } from '../model/onnx-file.ts';
import type { ModelRunner } from '../model/open-proto.ts';
import type { Site } from '../model/site.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { digits } from '../text/figures.ts';
import { printable } from './format.ts';
import { table } from '../text/layout.ts';

/** Flags of every command that opens a model. */
export interface ModelFlags extends CommonFlags {
  readonly backend: string;
  /** Sizes of the model's dynamic dimensions, for the small runs that show what its sites do. */
  readonly dim?: Readonly<Record<string, number>>;
}

/** A model of the user's with its attention. */
export interface LoadedModel {
  readonly file: OnnxFile;
  readonly runner: ModelRunner;
  readonly sites: ModelSites;
}

/** @throws INVALID_MODEL, UNSUPPORTED, INVALID_INPUTS */
export async function loadModel(path: string, flags: ModelFlags, adapters: readonly AdapterEntry[]): Promise<LoadedModel> {
  const file = await readOnnxFile(path);
  const runner = { adapter: await findAdapter(adapters, flags.backend).load(), backend: flags.backend };
  return { file, runner, sites: await findSites(file, runner, flags.dim) };
}

/** Every attention of a model: what it is, and whether it can be swapped. */
export async function sites(path: string, flags: ModelFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const { file, sites: found } = await loadModel(path, flags, adapters);
  const { sites: list, unknown, rewritten } = found;
  if (flags.json === true) {
    printJson({ model: file.path, sha256: file.sha256, sites: list, unknown, rewrittenForOpset13: rewritten });
    return exitCodes.pass;
  }
  if (list.length > 0) print(sitesTable(list));
  else print(`${printable(path)}: no attention found among ${found.proto.graph!.node.length} nodes`);
  for (const { site, reason } of list) if (reason !== undefined) print(`site ${site} cannot be swapped: ${printable(reason)}`);
  for (const { node, reason } of unknown) print(`not a site: ${printable(node)}: ${printable(reason)}`);
  return exitCodes.pass;
}

export function sitesTable(list: readonly Site[]): string {
  const text = (value: number | string | null) => (value === null ? '?' : String(value));
  const rows = list.map((site) => [
    `${site.site}`,
    text(site.heads) + (site.kvHeads === site.heads ? '' : `/${text(site.kvHeads)}`),
    text(site.headDim),
    site.scale === null ? '?' : digits(site.scale),
    text(site.mask),
    site.causal === null ? '?' : site.causal ? 'yes' : 'no',
    text(site.dtype),
    site.dynamic.join(', ') || 'none',
    site.swappable ? 'yes' : 'no',
    shortName(printable(site.node)),
  ]);
  return table([['site', 'heads', 'dim', 'scale', 'mask', 'causal', 'type', 'dynamic', 'swap', 'node'], ...rows]);
}

/** The end of a long name, which tells nodes apart. */
function shortName(name: string): string {
  return name.length <= 40 ? name : `…${name.slice(-39)}`;
}
