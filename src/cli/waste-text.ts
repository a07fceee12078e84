import type { WasteFigure, WasteFigures, WasteReport } from '../waste/schema.ts';
import { localDistance } from '../waste/mass-by-position.ts';
import { percent } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';

/** The figures that a first look needs, at most eight, in words; `--json` has all. */
const rows: ReadonlyArray<readonly [string, (overall: WasteFigures) => WasteFigure | null]> = [
  ['pairs not needed for 90 % of the weight', ({ wastedCompute }) => wastedCompute.p90],
  ['pairs not needed for 95 % of the weight', ({ wastedCompute }) => wastedCompute.p95],
  ['pairs not needed for 99 % of the weight', ({ wastedCompute }) => wastedCompute.p99],
  ['pairs not needed for an output within 5 %', ({ wastedComputeAtError }) => wastedComputeAtError.e05],
  ["dense attention's weight on unseen keys", ({ missedMass }) => missedMass],
  ['weight on the first token', ({ firstTokenMass }) => firstTokenMass],
  [`weight on keys within ${localDistance} positions`, ({ localMass }) => localMass],
  ['heads with a sink', ({ sinkRate }) => sinkRate],
];

/** The waste of one attention for a terminal: a sentence, then the figures behind it. */
export function wasteText(name: string, { overall, rows: measured }: WasteReport): string {
  const figures = rows.flatMap(([title, read]) => {
    const figure = read(overall);
    return figure === null ? [] : [[title, percent(figure.value), interval(figure)]];
  });
  return [
    sentence(name, overall.wastedCompute.p95),
    table([[`${measured.measured} of ${measured.of} rows`, 'share', '95 % interval'], ...figures]),
    ...groupsText(overall),
  ].join('\n\n');
}

/** What each group of keys gets, and what of that is waste. */
function groupsText({ groups = [] }: WasteFigures): string[] {
  if (groups.length === 0) return [];
  const rows = groups.map(({ name, from, to, mass, pairs, wastedCompute }) => [
    visible(`${name} (${from}–${to - 1})`),
    ...[mass, pairs, wastedCompute.p95].map((figure) => (figure === null ? '–' : `${percent(figure.value)} (${interval(figure)})`)),
  ]);
  const note =
    "weight, pairs: the group's share of all keys' attention and pairs. not needed: pairs of the group beyond the smallest sets of all keys that hold 95 % of the weight.";
  return [[table([['keys', 'weight', 'pairs', 'not needed'], ...rows]), wrapped(note)].join('\n')];
}

function sentence(name: string, wasted: WasteFigure | null): string {
  if (wasted === null) return `${name}: no query sees any key, so nothing was measured.`;
  return `${name}: ${percent(wasted.value)} of the query–key pairs could be left out; the rest hold 95 % of the attention weight.`;
}

function interval({ low, high }: WasteFigure): string {
  return low === null || high === null ? '–' : `${percent(low)} … ${percent(high)}`;
}
