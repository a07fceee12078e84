import type { AddedFile, ListedRun, ListedVerdict } from '../../operations/store.ts';
import { defaults } from '../../operations/defaults.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import { defineCommand, restArguments } from '../declare.ts';
import { store } from '../options.ts';
import { working } from '../work.ts';

const add = defineCommand({
  name: 'store add',
  summary: 'add run records and verdicts to the store, each once',
  arguments: { files: restArguments('run records (bench) and verdicts (ab, gate --out)') },
  options: { store },
  examples: ['attnswap store add runs/*.json', 'attnswap store add nightly/*.run.json --store /srv/attnswap'],
  async run(given) {
    const { storeRecords } = await import('../../operations/store.ts');
    const added = await working(given, (hooks) => storeRecords({ ...given, ...hooks }));
    if (given.json === true) printJson(added);
    else print(addedText(added, given.store ?? defaults.store));
    return exitCodes.pass;
  },
});

const list = defineCommand({
  name: 'store list',
  summary: 'list the stored runs and verdicts, oldest first',
  arguments: {},
  options: { store },
  examples: ['attnswap store list'],
  async run(given) {
    const { listRecords } = await import('../../operations/store.ts');
    const records = await listRecords(given);
    if (given.json === true) printJson(records);
    else if (records.runs.length + records.verdicts.length === 0)
      print(`${given.store ?? defaults.store} has no records; add some with attnswap store add <files…>`);
    else print([runsTable(records.runs), verdictsTable(records.verdicts)].filter((text) => text !== '').join('\n\n'));
    return exitCodes.pass;
  },
});

const compact = defineCommand({
  name: 'store compact',
  summary: 'join small parts into one, so that reading is faster',
  arguments: {},
  options: { store },
  examples: ['attnswap store compact'],
  async run(given) {
    const { compactRecords } = await import('../../operations/store.ts');
    const { joined, removed } = await working(given, ({ signal }) => compactRecords({ ...given, signal }));
    if (given.json === true) printJson({ joined, removed });
    else print(joined === 0 ? 'nothing to join' : `${joined} parts joined into one; the next compaction removes the old ones`);
    if (removed > 0) remark(`removed ${removed} parts that an earlier compaction had joined`, given);
    return exitCodes.pass;
  },
});

export const storeCommands = [add, list, compact];

function addedText(added: readonly AddedFile[], folder: string): string {
  const fresh = added.filter(({ outcome }) => outcome === 'added');
  const items = fresh.reduce((sum, each) => sum + each.items, 0);
  const left = [
    ...countOf(added, 'known', 'already there'),
    ...countOf(added, 'superseded', 'left out, because a later state of the same run is stored'),
  ];
  return [`${folder}: ${fresh.length} record${fresh.length === 1 ? '' : 's'} added (${items} cells and comparisons)`, ...left].join('; ');
}

function countOf(added: readonly AddedFile[], wanted: AddedFile['outcome'], words: string): string[] {
  const count = added.filter(({ outcome }) => outcome === wanted).length;
  return count === 0 ? [] : [`${count} ${words}`];
}

function runsTable(runs: readonly ListedRun[]): string {
  if (runs.length === 0) return '';
  const rows = runs.map(({ id, suite, startedAt, cells, declared, host, version }) => [
    `store:${id.slice(0, 12)}`,
    visible(suite),
    startedAt.slice(0, 16),
    cells === declared ? String(cells) : `${cells} of ${declared}`,
    visible(version),
    visible(host),
  ]);
  return table([['run', 'suite', 'started', 'cells', 'version', 'machine'], ...rows], 6);
}

function verdictsTable(verdicts: readonly ListedVerdict[]): string {
  if (verdicts.length === 0) return '';
  const rows = verdicts.map(({ id, kind, name, startedAt, outcome, comparisons }) => [
    id.slice(0, 12),
    `${kind} ${visible(name)}`,
    startedAt.slice(0, 16),
    outcome,
    String(comparisons),
  ]);
  return table([['verdict', 'of', 'started', 'outcome', 'comparisons'], ...rows], 4);
}
