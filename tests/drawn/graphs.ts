import type { Tensors } from '../../src/contract/tensor.ts';
import { dynamo, torchScript } from '../models/exporters.ts';
import { GraphWriter } from '../models/graph-writer.ts';
import type { Value } from '../models/graph-writer.ts';
import { sizeOf } from '../models/torch-shapes.ts';
import { Draw, inputTensor } from './draw.ts';
import type { Run } from './draw.ts';
import { both, maskKinds } from './masks.ts';
import type { DrawnMask, Place } from './masks.ts';
import { operatorKinds } from './operators.ts';
import type { DrawnIdiom, DrawnOperator, Heads, MaskValues } from './operators.ts';

/** A drawn model with attention, and inputs on which all of its mask shows. */
export interface DrawnGraph {
  readonly kind: string;
  /** What was drawn, in words. */
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly runs: readonly Run[];
  feeds(run: Run): Tensors;
}

const width = 24;
const vocabulary = 64;
const kinds = Object.keys(maskKinds);
/** Kinds whose masks may lie between two sequences. */
const crossing = new Set(['none', 'padding', 'pairs', 'lengths', 'local', 'shaped']);
const dimensionNames = [
  ['batch', 'sequence', 'memory'],
  ['N', 'T', 'S'],
  ['batch_size', 'seq_len', 'encoder_length'],
  ['b', 'frames', 'patches'],
] as const;

/** Seeds below are swapped and judged in every run of the tests: four of each kind of mask. `npm run bench:swaps` judges 500. */
export const firstGraphs = 44;

/** What drawn attention does to its logits, by name. */
export const idioms = {
  plain: {},
  softcap: { caps: 'before masks' },
  'capped masks': { caps: 'after masks' },
  sinks: { sinks: true },
} as const satisfies Readonly<Record<string, DrawnIdiom>>;
export type IdiomName = keyof typeof idioms;

/** The same seed draws the same graph; every eleventh has the same kind of mask. */
export function drawGraph(seed: number, idiom: IdiomName = 'plain'): DrawnGraph {
  const draw = new Draw(seed, 'graph');
  const kind = kinds[seed % kinds.length]!;
  const drawn = draw.pick(['plain', 'plain', 'plain', 'standard operator', 'contributed operator']);
  // Which operators have these parts, and where, is the runtime's to say.
  const plainOnly = idiom === 'capped masks' || (idiom === 'sinks' && drawn === 'standard operator');
  const operator = operatorKinds[plainOnly ? 'plain' : drawn]!(draw, idioms[idiom]);
  const mask = drawMask(draw, kind, operator);
  const cross = crossing.has(kind) && operator.causal !== true && draw.chance(0.2);
  const tokens = mask.ids !== undefined || (!cross && draw.chance(0.3));
  const heads = draw.pick([2, 3, 4]);
  const kvHeads = operator.shares && heads !== 3 && draw.chance(0.3) ? heads / 2 : heads;
  const sizes: Heads = { heads, kvHeads, headDim: 8 };
  const [batch, queries, memory] = draw.pick(dimensionNames);
  const names = { batch, queries, keys: cross ? memory : queries };
  const layers = draw.chance(0.25) ? 2 : 1;
  const bytes = write({ draw, operator, mask, cross, tokens, sizes, names, layers });
  const long = Math.max(90, (mask.reach ?? 0) + 60);
  const run = (batchSize: number, length: number, number: number): Run => ({
    batch: batchSize,
    queries: length,
    keys: length + (cross ? 5 : 0),
    number,
    seed: seed * 1000 + number,
  });
  return {
    kind,
    text: `${mask.text} · ${operator.text} · ${heads}/${kvHeads} heads${cross ? ', cross' : ''}${tokens ? ', of ids' : ''}${layers === 2 ? ', 2 layers' : ''} · [${batch}, ${queries}]`,
    bytes,
    runs: [run(1, 9, 0), run(3, 9, 1), run(3, 9, 2), run(2, 40, 3), run(3, 40, 5), run(1, 40, 6), run(2, long, 7), run(1, long, 4)],
    feeds: (at) => ({ ...feedStates({ tokens, mask, cross }, at), ...mask.feeds?.(at) }),
  };
}

function drawMask(draw: Draw, kind: string, { causal }: DrawnOperator): DrawnMask {
  const mask = maskKinds[kind]!(draw);
  return kind !== 'causal' && causal !== true && draw.chance(0.3) ? both(mask, maskKinds['causal']!(draw)) : mask;
}

interface Drawn {
  readonly draw: Draw;
  readonly operator: DrawnOperator;
  readonly mask: DrawnMask;
  readonly cross: boolean;
  readonly tokens: boolean;
  readonly sizes: Heads;
  readonly names: Place['names'];
  readonly layers: number;
}

function write({ draw, operator, mask, cross, tokens, sizes, names, layers }: Drawn): Uint8Array {
  const g = new GraphWriter(operator.opset >= 23 || draw.chance(0.5) ? dynamo(operator.opset) : torchScript(operator.opset));
  const weight = (rows: number, columns: number, gain = 1) =>
    g.weight(`weight.${draw.whole(0, 2 ** 31)}`, [rows, columns], draw.normals(rows * columns, gain / Math.sqrt(rows)), { use: 'MatMul' });
  const ids = tokens ? g.input('tokens', 'i64', [names.batch, names.queries]) : undefined;
  const first = ids === undefined ? g.input('hidden', 'f32', [names.batch, names.queries, width]) : embedded(g, ids, draw);
  const memory = cross ? g.input('memory', 'f32', [names.batch, names.keys, width]) : undefined;
  const place: Place = { names, queries: sizeOf(g, first, 1), keys: sizeOf(g, memory ?? first, 1), heads: sizes.heads, tokens: ids };
  const values: MaskValues = {
    keep: mask.keyMask !== undefined && operator.text.startsWith('MultiHeadAttention') ? undefined : mask.keep?.(g, place),
    bias: mask.bias?.(g, place),
    factor: mask.factor?.(g, place),
    keyMask: operator.text.startsWith('MultiHeadAttention') ? mask.keyMask?.(g, place) : undefined,
  };
  let states = first;
  for (let layer = 0; layer < layers; layer++) {
    const { heads, kvHeads, headDim } = sizes;
    const project = (x: Value, count: number, gain?: number) => g.op('MatMul', [x, weight(width, count * headDim, gain)]);
    const source = memory ?? states;
    const parts = { query: project(states, heads, 1.6), key: project(source, kvHeads, 1.6), value: project(source, kvHeads) };
    const attended = g.op('MatMul', [operator.attend(g, { ...sizes, ...parts, mask: values }), weight(heads * headDim, width)]);
    states = layers === 1 ? attended : g.op('Add', [states, attended]);
  }
  g.output('out', states, 'f32', [names.batch, names.queries, width]);
  return g.bytes();
}

/** Any id may be fed: the table is as long as a few of them, and begins again. */
function embedded(g: GraphWriter, ids: Value, draw: Draw): Value {
  const table = g.weight('embedding', [vocabulary, width], draw.normals(vocabulary * width));
  return g.op('Gather', [table, g.op('Mod', [ids, g.int(vocabulary)])]);
}

function feedStates({ tokens, mask, cross }: Pick<Drawn, 'tokens' | 'mask' | 'cross'>, { batch, queries, keys, seed }: Run): Tensors {
  const states = (name: string, length: number) => {
    const values = new Draw(seed, name).normals(batch * length * width);
    return inputTensor('f32', [batch, length, width], (at) => values[at]!);
  };
  if (!tokens) return { hidden: states('hidden', queries), ...(cross && { memory: states('memory', keys) }) };
  const draw = new Draw(seed, 'tokens');
  const id = mask.ids ?? (() => draw.whole(0, 100));
  return { tokens: inputTensor('i64', [batch, keys], (at) => id(draw, { row: Math.floor(at / keys), key: at % keys })) };
}
