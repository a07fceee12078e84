import { assumedText } from '../../model/sites/assume.ts';
import type { Site } from '../../model/sites/site.ts';
import type { SitesRecord } from '../../operations/sites.ts';
import { digits } from '../../text/figures.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand } from '../declare.ts';
import { adaptersFrom, model, moreBackends } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { watching } from '../work.ts';

export const sites = defineCommand({
  name: 'sites',
  summary: 'find the attention in an ONNX model and show what each site does',
  arguments: { model: argument('an ONNX file') },
  options: { ...model, out: outputs(['.json'], 'write the sites'), ...moreBackends },
  examples: ['attnswap sites model.onnx', 'attnswap sites model.onnx --dim sequence=128 --json'],
  async run({ dim, out = [], ...given }) {
    const { sites: find } = await import('../../operations/sites.ts');
    const adapters = await adaptersFrom(given);
    const record = await watching(given, (told) => find({ ...given, ...told, dimensions: dim, adapters }));
    if (given.json === true) printJson(record);
    else print(text(record));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function text({ model: path, sites: list, unknown, nodes }: SitesRecord): string {
  const heading = list.length > 0 ? sitesTable(list) : `${visible(path)}: no attention found among ${nodes} nodes`;
  return [
    heading,
    ...bodyLines(list),
    ...list.flatMap(({ site, reason }) => (reason === undefined ? [] : [`site ${site} cannot be swapped: ${visible(reason)}`])),
    ...list.flatMap((site) => visible(assumedText(site) ?? '') || []),
    ...unknown.map(({ node, reason }) => `not a site: ${visible(node)}: ${visible(reason)}`),
  ].join('\n');
}

/** Which sites lie in branches. */
function bodyLines(list: readonly Site[]): string[] {
  const bodies = new Set(list.flatMap(({ body }) => body ?? []));
  return [...bodies].map((body) => {
    const inside = list.filter((site) => site.body === body).map(({ site }) => site);
    return `in the ${visible(body)}: ${inside.length === 1 ? 'site' : 'sites'} ${inside.join(', ')}`;
  });
}

function sitesTable(list: readonly Site[]): string {
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
    shortName(visible(site.node)),
  ]);
  return table([['site', 'heads', 'dim', 'scale', 'mask', 'causal', 'type', 'dynamic', 'swap', 'node'], ...rows]);
}

/** The end of a long name, which tells nodes apart. */
function shortName(name: string): string {
  return name.length <= 40 ? name : `…${name.slice(-39)}`;
}
