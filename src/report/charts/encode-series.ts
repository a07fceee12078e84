import { colourOf } from '../theme.ts';
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
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down', 'triangle-right', 'triangle-left'];

/**
 * Colour by variant, dash and shape by which of the kernels of that colour it is: the same names look the same in every chart of a report,
 * none is told by colour alone, and up to eight of one colour differ in shape.
 */
export function encodeSeries(series: readonly Series[]) {
  const colours = series.map(({ variant }) => colourOf(variant));
  const order = [...new Set(colours)];
  const ranks = series.map((_, index) => colours.slice(0, index).filter((colour) => colour === colours[index]).length);
  const domain = series.map(({ name }) => name);
  const scale = <Value>(range: readonly Value[]) => ({ domain, range: [...range] });
  const field = { field: 'series', type: 'nominal', title: null, legend: legendOf(domain) } as const;
  return {
    color: { ...field, scale: scale(colours) },
    strokeDash: { ...field, scale: scale(ranks.map((rank) => dashes[rank % dashes.length]!)) },
    shape: { ...field, scale: scale(ranks.map((rank, index) => shapes[(rank + order.indexOf(colours[index]!)) % shapes.length]!)) },
  };
}

/** What a legend has room for: Vega takes 0.8 em for a character that it cannot measure. */
const [legendWidth, characterWidth, symbolWidth, longestLabel] = [450, 9.6, 28, 44];

/** Labels that differ wherever names do, in as many columns as they leave room for. */
function legendOf(names: readonly string[]) {
  const labels = shortNames(names, longestLabel);
  const longest = Math.max(...[...labels.values()].map((label) => label.length));
  const columns = Math.min(3, Math.max(1, Math.floor(legendWidth / (longest * characterWidth + symbolWidth))));
  const cut = [...labels].filter(([name, label]) => name !== label);
  if (cut.length === 0) return { columns };
  const [from, to] = [cut.map(([name]) => literal(name)), cut.map(([, label]) => literal(label))];
  const at = `indexof([${from.join()}], datum.label)`;
  return { columns, labelExpr: `${at} < 0 ? datum.label : [${to.join()}][${at}]` };
}

/** A string in Vega's expressions, which know no line separators in one. */
function literal(text: string): string {
  return JSON.stringify(text)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`);
}
