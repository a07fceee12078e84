import { percent } from '../../text/figures.ts';
import { bestHead, unseenAnswers } from '../../tuning/attention-waste.ts';
import type { AttentionWaste } from '../../tuning/attention-waste.ts';
import { heatMapChart } from '../charts/heat-map.ts';
import type { HeatCell } from '../charts/heat-map.ts';
import { figureCell, numeric, words } from '../document.ts';
import { groupTable, shareCell } from '../group-table.ts';
import type { Chart, Section, Table, TableCell } from '../document.ts';
import type { TuningView } from './tuning-view.ts';

/** Rows and columns that are drawn; the table has all. */
const mostRows = 40;
const mostHeads = 32;

interface NamedWaste {
  readonly name: string;
  readonly waste: AttentionWaste;
}

/** Where trained attention goes on the scored positions; undefined where the record does not say. */
export function wasteSection(view: TuningView): Section | undefined {
  const found = wastesOf(view);
  const [first] = found;
  if (first === undefined) return undefined;
  const { items, rows, all } = first.waste;
  const measured = `Measured on the models of the first seed, at ${rows.measured} of ${rows.of} scored positions of ${items.measured} of ${items.of} test items.`;
  const isLabelled = all.labelledWaste !== null;
  const lead = isLabelled
    ? `${measured} The task defines which keys hold each answer, and attention on any other key is labeled waste. A head with another role, such as finding the previous token, counts as wasteful here; what matters is that some head finds the answer.`
    : `${measured} The task does not define which keys hold the answers, so this is unlabeled waste: pairs beyond the smallest set of keys that holds 95 % of the attention.`;
  const title = isLabelled ? 'Waste and relevant keys' : 'Waste';
  const own = [headsChart(found, isLabelled), attentionsTable(found, isLabelled), ...groupTables(found)];
  if (first.waste.within === undefined) return { id: 'attention-waste', title, lead, parts: own };
  const across = `${lead} All of this is cross-attention, from the decoder to the source. Attention within encoder and decoder has a table of its own, without labels.`;
  return { id: 'attention-waste', title, lead: across, parts: [...own, withinTable(found)] };
}

/** Attention of an encoder, and of a decoder to what it has written. */
function withinTable(found: readonly NamedWaste[]): Table {
  const own = columnsOf(false);
  return {
    kind: 'table',
    title: 'Waste within encoder and decoder, by layer and head',
    columns: [{ title: 'attention' }, { title: 'of' }, ...numeric('layer', 'head', ...own.map(({ title }) => title))],
    rows: found.flatMap(({ name, waste }) =>
      (waste.within?.heads ?? []).map(({ kind, layer, head, figures }) => [
        ...words(name, kind === 'encoder' ? 'encoder' : 'decoder'),
        ...[layer, head].map((value) => figureCell(value, String)),
        ...own.map(({ of }) => shareCell(of(figures))),
      ]),
    ),
  };
}

function wastesOf({ record, baseline, candidates }: TuningView): NamedWaste[] {
  const all = [{ name: baseline, waste: record.baselineWaste }, ...candidates.map(({ name, found: { waste } }) => ({ name, waste }))];
  return all.flatMap(({ name, waste }) => (waste === null ? [] : [{ name, waste }]));
}

function headsChart(found: readonly NamedWaste[], isLabelled: boolean): Chart {
  const share = isLabelled ? 'labeled waste' : 'wasted pairs';
  const cells = found.flatMap(({ name, waste }) =>
    waste.heads.flatMap(({ layer, head, figures }): HeatCell[] => {
      const figure = isLabelled ? figures.labelledWaste : figures.wastedCompute.p95;
      if (figure === null || head >= mostHeads) return [];
      const label = `${name}, layer ${layer}, head ${head}: ${percent(figure.value)} ${share}`;
      return [{ row: `${name} · layer ${layer}`, column: head, share: figure.value, label }];
    }),
  );
  const rows = new Set([...new Set(cells.map(({ row }) => row))].slice(0, mostRows));
  const drawn = cells.filter(({ row }) => rows.has(row));
  const said = found.slice(0, 8).map(({ name, waste }) => `${name} ${saidOf(waste, isLabelled)}`);
  const left = found.reduce((sum, { waste }) => sum + waste.heads.length, 0) - drawn.length;
  return {
    kind: 'chart',
    id: 'attention-waste-heads',
    title: 'By layer and head',
    summary: `${isLabelled ? 'Labeled waste of the best head' : 'Wasted pairs over all heads'}: ${said.join('; ')}${found.length > 8 ? '; and more in the table' : ''}.${left === 0 ? '' : ` Not shown, without a figure or for lack of space: ${left} heads.`}`,
    spec: heatMapChart({ title: `${share} at the scored positions`, columns: 'head', share, cells: drawn }),
    table: headsTable(found, isLabelled),
  };
}

function saidOf(waste: AttentionWaste, isLabelled: boolean): string {
  const figure = isLabelled ? bestHead(waste)?.figures.labelledWaste : waste.all.wastedCompute.p95;
  return figure === null || figure === undefined ? '–' : percent(figure.value);
}

/** What each column shows of a head's figures; those of labels only where there are any. */
const columns = [
  { title: 'labeled waste', labelled: true, of: (figures: AttentionWaste['all']) => figures.labelledWaste },
  { title: 'wasted pairs', labelled: false, of: (figures: AttentionWaste['all']) => figures.wastedCompute.p95 },
  { title: 'missed mass', labelled: false, of: (figures: AttentionWaste['all']) => figures.missedMass },
  { title: 'answers unseen', labelled: true, of: unseenAnswers },
  { title: 'mass missed on them', labelled: true, of: (figures: AttentionWaste['all']) => figures.missedRelevantMass },
] as const;

function columnsOf(isLabelled: boolean): ReadonlyArray<(typeof columns)[number]> {
  return columns.filter(({ labelled }) => isLabelled || !labelled);
}

function headsTable(found: readonly NamedWaste[], isLabelled: boolean): Table {
  const own = columnsOf(isLabelled);
  return {
    kind: 'table',
    title: 'Waste by layer and head',
    columns: [{ title: 'attention' }, ...numeric('layer', 'head', ...own.map(({ title }) => title), 'pairs')],
    rows: found.flatMap(({ name, waste }) =>
      waste.heads.map(({ layer, head, figures }) => [
        ...words(name),
        ...[layer, head].map((value) => figureCell(value, String)),
        ...own.map(({ of }) => shareCell(of(figures))),
        figureCell(figures.wastedCompute.p95?.denominator.value, String),
      ]),
    ),
  };
}

function attentionsTable(found: readonly NamedWaste[], isLabelled: boolean): Table {
  const own = columnsOf(isLabelled);
  const best = isLabelled ? ['best head', 'its labeled waste', 'its answers unseen'] : [];
  return {
    kind: 'table',
    title: isLabelled ? 'Waste over all heads and in the best head' : 'Waste over all heads',
    columns: [{ title: 'attention' }, ...numeric(...best, ...own.map(({ title }) => title))],
    rows: found.map(({ name, waste }) => [
      ...words(name),
      ...(isLabelled ? bestCells(waste) : []),
      ...own.map(({ of }) => shareCell(of(waste.all))),
    ]),
  };
}

function bestCells(waste: AttentionWaste): TableCell[] {
  const best = bestHead(waste);
  if (best === undefined) return words('–', '–', '–');
  const { layer, head, figures } = best;
  return [{ text: `layer ${layer}, head ${head}` }, shareCell(figures.labelledWaste), shareCell(unseenAnswers(figures))];
}

/** What each group of keys gets, over all heads and by head. */
function groupTables(found: readonly NamedWaste[]): Table[] {
  const all = found.map(({ name, waste }) => ({ names: words(name), groups: waste.all.groups }));
  const byHead = found.flatMap(({ name, waste }) =>
    waste.heads.map(({ layer, head, figures }) => ({
      names: [...words(name), ...[layer, head].map((value) => figureCell(value, String))],
      groups: figures.groups,
    })),
  );
  return [
    groupTable('Attention by keys, over all heads', [{ title: 'attention' }], all),
    groupTable('Attention by keys, by layer and head', [{ title: 'attention' }, ...numeric('layer', 'head')], byHead),
  ].filter(({ rows }) => rows.length > 0);
}
