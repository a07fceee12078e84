import { within } from './windowed.ts';
import type { Sees, WindowedModel } from './windowed.ts';

const joined =
  (operator: string) =>
  (one: Sees, other: Sees): Sees =>
  (g, at) =>
    g.op(operator, [one(g, at), other(g, at)]);
const or = joined('Or');
const and = joined('And');
const causal: Sees = (g, { gap }) => g.op('GreaterOrEqual', [gap, g.int(0)]);
const chunks =
  (count: number): Sees =>
  (g, { row, column }) =>
    g.op('Equal', [g.op('Div', [row, g.int(count)]), g.op('Div', [column, g.int(count)])]);

/** Masks that are nearly windows, by what they are. */
export const nearWindows: Readonly<Record<string, WindowedModel>> = {
  'chunks of 20': { sees: and(causal, chunks(20)) },
  'chunks of as many rows as long runs skip': { sees: and(causal, chunks(17)) },
  'a dilated band': {
    sees: (g, { gap }) => {
      const distance = g.op('Abs', [gap]);
      const even = g.op('Equal', [g.op('Mod', [distance, g.int(2)]), g.int(0)]);
      return g.op('And', [even, g.op('Less', [distance, g.int(40)])]);
    },
  },
  'a window that begins at a distance': {
    sees: or((g, { gap }) => g.op('Equal', [gap, g.int(0)]), within(40, -7)),
  },
  'a window of later keys alone': { sees: within(-1, 40), odd: true },
  'global keys': { sees: or(within(40, 40), (g, { column }) => g.op('Less', [column, g.int(2)])) },
  'a first query that sees every key': { sees: or(within(40, 40), (g, { row }) => g.op('Less', [row, g.int(1)])) },
  'one query, far from the first, that sees every key': { sees: or(within(40, 40), (g, { row }) => g.op('Equal', [row, g.int(23)])) },
  'a window that grows with the length': {
    sees: (g, { gap, keys }) => g.op('Less', [g.op('Abs', [gap]), g.op('Add', [g.op('Div', [keys, g.int(4)]), g.int(1)])]),
  },
  'a window that is open to the right': { sees: (g, { gap }) => g.op('LessOrEqual', [gap, g.int(40)]) },
  'a window of its own for a head': {
    sees: (g, { gap }) => {
      const counts = g.weight('counts', [4, 1, 1], [40, 40, 40, 41], { type: 'i64' });
      return g.op('Less', [g.op('Abs', [gap]), counts]);
    },
  },
  'a window by an input': {
    sees: (g, { gap }) => g.op('Less', [g.op('Abs', [gap]), g.op('Abs', [g.input('count', 'i64', [1])])]),
    odd: true,
  },
};
