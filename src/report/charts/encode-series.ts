import { colourOf, seriesColours } from '../theme.ts';
import { chartWidth } from './frame.ts';
import { shortNames } from './short-names.ts';

/** One line or mark of a chart: a kernel under the name that a user writes. */
export interface Series {
  readonly name: string;
  readonly variant: string;
}

const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [1, 3],
  [10, 2],
];
const shapes = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-left',
  'triangle-right',
  // A star, an hourglass, a bow tie.
  'M0,-1L.29,-.4L.95,-.31L.48,.15L.59,.81L0,.5L-.59,.81L-.48,.15L-.95,-.31L-.29,-.4Z',
  'M-.8,-.9L.8,-.9L-.8,.9L.8,.9Z',
  'M-.9,-.8L-.9,.8L.9,-.8L.9,.8Z',
];

/** Pixels of a legend’s line: what axes leave of the chart; of a character, which Vega takes for 0.8 em where it cannot measure it; of a symbol; and characters of the longest label. */
const [lineWidth, characterWidth, symbolWidth, longestLabel] = [chartWidth - 70, 9.6, 34, 38];

/**
 * Colour by variant, dash by which of the variant's kernels it is, and a shape that no other of this colour has: the same names look the
 * same in every chart of the same series, none is told by colour alone, and no two look alike.
 */
export function encodeSeries(series: readonly Series[]) {
  const ranks = series.map(({ name, variant }) =>
    series.filter((other) => other.variant === variant).findIndex((other) => other.name === name),
  );
  const looks = looksOf(series, ranks);
  const domain = series.map(({ name }) => name);
  const scale = <Value>(range: readonly Value[]) => ({ domain, range: [...range] });
  const field = { field: 'series', type: 'nominal', title: null, legend: legendOf(domain) } as const;
  return {
    color: { ...field, scale: scale(looks.map(({ colour }) => colour)) },
    strokeDash: { ...field, scale: scale(ranks.map((rank) => dashes[rank % dashes.length]!)) },
    shape: { ...field, scale: scale(looks.map(({ shape }) => shape)) },
  };
}

interface Look {
  readonly colour: string;
  readonly shape: string;
}

/** The variant's own colour with the first free shape from its place on; another colour where all of them are taken. */
function looksOf(series: readonly Series[], ranks: readonly number[]): Look[] {
  const taken = new Set<string>();
  return series.map(({ variant }, index) => {
    const own = colourOf(variant);
    const first = { colour: own, shape: shapes[(ranks[index]! + index) % shapes.length]! };
    const looks = [own, ...seriesColours].flatMap((colour) =>
      shapes.map((_, turn) => ({ colour, shape: shapes[(ranks[index]! + index + turn) % shapes.length]! })),
    );
    const look = looks.find(({ colour, shape }) => !taken.has(colour + shape)) ?? first;
    taken.add(look.colour + look.shape);
    return look;
  });
}

/** Labels that differ wherever names do, in as many columns as they leave room for. */
function legendOf(names: readonly string[]) {
  const labels = shortNames(names, longestLabel);
  const longest = Math.max(...[...labels.values()].map((label) => label.length));
  const columns = Math.min(3, Math.max(1, Math.floor(lineWidth / (longest * characterWidth + symbolWidth))));
  const cut = [...labels].filter(([name, label]) => name !== label);
  // Labels that Vega cuts could be alike: these fit.
  if (cut.length === 0) return { columns, labelLimit: 0 };
  const [from, to] = [cut.map(([name]) => literal(name)), cut.map(([, label]) => literal(label))];
  const at = `indexof([${from.join()}], datum.label)`;
  return { columns, labelLimit: 0, labelExpr: `${at} < 0 ? datum.label : [${to.join()}][${at}]` };
}

/** A string in Vega's expressions, which know no line separators in one. */
function literal(text: string): string {
  return JSON.stringify(text)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`);
}
