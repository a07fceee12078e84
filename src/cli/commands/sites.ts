import { assumedText } from '../../model/sites/assume.ts';
import type { Site } from '../../model/sites/site.ts';
import type { FailedModel, SitesRecord } from '../../operations/sites.ts';
import { digits } from '../../text/figures.ts';
import { clip, table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand, inGroup } from '../declare.ts';
import { adaptersFrom, data, model, moreBackends } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { watching } from '../work.ts';

export const sites = defineCommand({
  name: 'sites',
  summary: 'find the attention in a model and show what each site does',
  arguments: { model: argument('ONNX file, Hugging Face folder, module.py:function, or folder of ONNX files') },
  options: {
    ...model,
    out: outputs(['.json'], 'write the sites'),
    ...inGroup('Inputs for models that do not run on random ones', data),
    ...moreBackends,
  },
  examples: [
    'attnswap sites model.onnx',
    'attnswap sites model.onnx --dim sequence=128 --json',
    'attnswap sites models/',
    'attnswap sites ./my-bert',
  ],
  async run({ dim, out = [], ...given }) {
    const { sites: find, sitesInFolder } = await import('../../operations/sites.ts');
    const adapters = await adaptersFrom(given);
    const { isFolder } = await import('../../files/writable.ts');
    const { isHostedModel } = await import('../../model/hosted/model-path.ts');
    if ((await isFolder(given.model)) && !(await isHostedModel(given.model))) {
      const records = await watching(given, (told) => sitesInFolder({ ...given, ...told, dimensions: dim, adapters }));
      if (given.json === true) printJson(records);
      else print([...partTexts(records), folderText(records)].join('\n\n'));
      await writeOutputs(out, { '.json': json(records) }, given);
      return records.some(isFailed) ? exitCodes.error : exitCodes.pass;
    }
    const record = await watching(given, (told) => find({ ...given, ...told, dimensions: dim, adapters }));
    if (given.json === true) printJson(record);
    else print(text(record));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function isFailed(record: SitesRecord | FailedModel): record is FailedModel {
  return 'code' in record;
}

/** The tables of an encoder–decoder model's files, whose sites are numbered throughout. */
function partTexts(records: ReadonlyArray<SitesRecord | FailedModel>): string[] {
  const parts = records.flatMap((record) => (isFailed(record) || record.partOf === undefined ? [] : [record]));
  return parts.map((record) => `${visible(record.model)}:\n${text(record)}`);
}

/** Characters of a reason in a line of a folder. */
const shortReason = 90;

function folderText(records: ReadonlyArray<SitesRecord | FailedModel>): string {
  const found = records.flatMap((record) => (isFailed(record) ? [] : [record]));
  const all = found.flatMap(({ sites: list }) => list);
  const swappable = (list: readonly Site[]) => list.filter((site) => site.swappable).length;
  const rows = records.map((record) => {
    if (isFailed(record)) return [visible(record.model), '-', '-', clip(visible(`${record.code}: ${record.reason}`), shortReason)];
    const why = record.sites.find(({ reason }) => reason !== undefined)?.reason ?? record.unknown[0]?.reason ?? '';
    return [visible(record.model), `${record.sites.length}`, `${swappable(record.sites)}`, clip(visible(why), shortReason)];
  });
  const failures = records.length - found.length;
  const total = `${records.length} models: ${all.length} sites, ${swappable(all)} can be swapped`;
  const heading = ['model', 'sites', 'swap'];
  const columns = table([heading, ...rows.map((row) => row.slice(0, 3))]).split('\n');
  const lines = columns.map((line, row) => `${line}  ${rows[row - 1]?.[3] ?? ''}`.trimEnd());
  const whole = found.find(({ partOf }) => partOf !== undefined)?.partOf;
  const joined =
    whole === undefined ? [] : [`${visible(whole)} is one encoder–decoder model: swap and migrate take the folder, and these site numbers`];
  return [...lines, failures === 0 ? total : `${total}; ${failures} could not be read`, ...joined].join('\n');
}

function text({ model: path, sites: list, unknown, nodes }: SitesRecord): string {
  const heading = list.length > 0 ? sitesTable(list) : `${visible(path)}: no attention found among ${nodes} nodes`;
  return [
    heading,
    ...bodyLines(list),
    ...windowLines(list),
    ...tokenLines(list),
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

/** What a window lets a query see, and the variant that keeps it. */
function windowLines(list: readonly Site[]): string[] {
  const windowed = list.filter((site) => site.swappable && site.window !== undefined);
  const texts = windowed.map(({ window, causal }) => {
    const { left, right } = window!;
    const w = causal === true ? left + 1 : 2 * Math.max(left, right);
    return `each query sees ${left} keys before it and ${right} after it; window:w=${w} is exact`;
  });
  return [...new Set(texts)].map((text) => {
    const sharing = windowed.filter((_, at) => texts[at] === text).map(({ site }) => site);
    return `${sharing.length === 1 ? 'site' : 'sites'} ${sharing.join(', ')}: ${text}`;
  });
}

/** Sites with one number of tokens in every run, which grid-window needs. */
function tokenLines(list: readonly Site[]): string[] {
  const fixed = Map.groupBy(
    list.filter(({ tokens }) => tokens !== undefined),
    ({ tokens }) => tokens!,
  );
  return [...fixed].map(([tokens, own]) => {
    const numbers = own.map(({ site }) => site);
    return `${numbers.length === 1 ? 'site' : 'sites'} ${numbers.join(', ')}: ${tokens} ${tokens === 1 ? 'token' : 'tokens'} in every run`;
  });
}

function sitesTable(list: readonly Site[]): string {
  const text = (value: number | string | null) => (value === null ? '?' : String(value));
  const hasMore = list.some((site) => moreOf(site) !== '');
  const rows = list.map((site) => [
    `${site.site}`,
    text(site.heads) + (site.kvHeads === site.heads ? '' : `/${text(site.kvHeads)}`),
    widthText(site),
    site.scale === null ? '?' : digits(site.scale),
    text(site.mask),
    ...(hasMore ? [moreOf(site)] : []),
    site.causal === null ? '?' : site.causal ? 'yes' : 'no',
    text(site.dtype),
    site.dynamic.join(', ') || 'none',
    site.swappable ? 'yes' : 'no',
    shortName(visible(site.node)),
  ]);
  const more = hasMore ? ['logits'] : [];
  return table([['site', 'heads', 'dim', 'scale', 'mask', ...more, 'causal', 'type', 'dynamic', 'swap', 'node'], ...rows]);
}

function widthText({ headDim, widths }: Site): string {
  if (widths !== undefined) return `${widths.keys}/${widths.values}`;
  return headDim === null ? '?' : `${headDim}`;
}

/** What few sites do to their logits beside scale and mask. */
function moreOf({ softcap, sinks, rounds }: Site): string {
  const cap = softcap === undefined ? [] : [`cap ${digits(softcap)}`];
  return [...cap, ...(sinks === true ? ['sinks'] : []), ...(rounds === undefined ? [] : ['rounded'])].join(', ');
}

/** The end of a long name, which tells nodes apart. */
function shortName(name: string): string {
  return name.length <= 40 ? name : `…${name.slice(-39)}`;
}
