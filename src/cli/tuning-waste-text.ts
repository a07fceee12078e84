import type { AttentionWaste } from '../tuning/attention-waste.ts';
import { bestHead, unseenAnswers } from '../tuning/attention-waste.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import type { WasteFigure } from '../waste/schema.ts';
import { table, wrapped } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';

/** What each attention wastes on the scored positions: where the answer is known, on other keys than the one that holds it. */
export function wasteText({ baselineWaste, candidates }: TuningReport, baseline: string): string {
  const all = [{ name: baseline, waste: baselineWaste }, ...candidates.map(({ candidate, waste }) => ({ name: candidate, waste }))];
  const known = all.flatMap(({ name, waste }) => (waste === null ? [] : [{ name, waste }]));
  const [first] = known;
  if (first === undefined) return '';
  const isLabelled = first.waste.all.labelledWaste !== null;
  const { items, rows } = first.waste;
  const title = isLabelled
    ? 'Attention on keys that do not hold the answer, %'
    : 'Waste, %; this task does not define which keys hold an answer';
  const of = `first seed, ${rows.measured} of ${rows.of} scored positions in ${items.measured} of ${items.of} test items`;
  const [header, cells] = isLabelled ? [labelledHeader, labelledCells] : [plainHeader, plainCells];
  const own = [
    wrapped(`${first.waste.within === undefined ? '' : 'Cross-attention. '}${title}: ${of}`),
    table([header, ...known.map(({ name, waste }) => [name, ...cells(waste)])]),
    ...(isLabelled ? labelledNotes : plainNotes).map((note) => wrapped(note)),
  ];
  return [own, groupLines(known), withinLines(known)].flatMap((lines) => (lines.length === 0 ? [] : [lines.join('\n')])).join('\n\n');
}

/** What each group of keys gets, where the task tells some apart. */
function groupLines(known: ReadonlyArray<{ readonly name: string; readonly waste: AttentionWaste }>): string[] {
  const rows = known.flatMap(({ name, waste }) =>
    (waste.all.groups ?? []).map((group) => [
      name,
      visible(group.name),
      withInterval(group.mass),
      share(group.pairs),
      withInterval(group.wastedCompute.p95),
    ]),
  );
  if (rows.length === 0) return [];
  return ['By keys, %, of the same positions', table([groupHeader, ...rows]), ...groupNotes.map((note) => wrapped(note))];
}

const groupHeader = ['attention', 'keys', 'mass', 'pairs', 'compute'];
const groupNotes = [
  "mass: attention on these keys. pairs: their share of the weighted pairs. compute: their pairs beyond the smallest sets of keys that hold 95 % of each row's mass. All heads.",
];

/** Of attention within the source and within what the decoder reads, whose answers are elsewhere. */
function withinLines(known: ReadonlyArray<{ readonly name: string; readonly waste: AttentionWaste }>): string[] {
  const rows = known.flatMap(({ name, waste }) => (waste.within === undefined ? [] : [[name, ...plainCells(waste.within)]]));
  if (rows.length === 0) return [];
  return [
    'Attention within encoder and decoder: waste, %, of the same items',
    table([plainHeader, ...rows]),
    ...plainNotes.map((note) => wrapped(note)),
  ];
}

const labelledHeader = ['attention', 'head', 'labeled waste', 'mean', 'compute', 'unseen', 'mean'];
const labelledNotes = [
  'labeled waste: mass on keys that do not hold the answer, for the best head (layer.head) with a 95 % interval over items, and the mean over all heads.',
  'compute: pairs beyond the smallest sets of keys that hold 95 % of the mass, all heads. unseen: answers none of whose keys is selected, for the best head and over all heads.',
];

function labelledCells(waste: AttentionWaste): string[] {
  const best = bestHead(waste)!;
  const { labelledWaste, wastedCompute } = waste.all;
  return [
    `${best.layer}.${best.head}`,
    withInterval(best.figures.labelledWaste),
    share(labelledWaste),
    share(wastedCompute.p95),
    share(unseenAnswers(best.figures)),
    share(unseenAnswers(waste.all)),
  ];
}

const plainHeader = ['attention', 'compute', 'missed mass'];
const plainNotes = [
  "compute: pairs beyond the smallest sets of keys that hold 95 % of the mass. missed mass: dense attention's mass on keys that are not selected. All heads, with 95 % intervals over items.",
];

function plainCells({ all }: Pick<AttentionWaste, 'all'>): string[] {
  return [withInterval(all.wastedCompute.p95), withInterval(all.missedMass)];
}

function share(figure: WasteFigure | null): string {
  return figure === null ? '–' : points(figure.value);
}

function withInterval(figure: WasteFigure | null): string {
  if (figure === null || figure.low === null || figure.high === null) return share(figure);
  return `${share(figure)} [${points(figure.low)}, ${points(figure.high)}]`;
}

function points(value: number): string {
  return (100 * value).toFixed(1);
}
