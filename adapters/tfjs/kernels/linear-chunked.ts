import { positionOffset } from '../../../src/contract/shape.ts';
import type { Shape } from '../../../src/contract/shape.ts';
import { linearSettings } from '../../../src/variants/linear/parameters.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import { headGroups, joinGroups, joinTensors } from '../head-groups.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Site, Tensor, Tf, TfjsKernel } from '../kernel.ts';
import { decaysOf } from '../linear/decays.ts';
import type { Chunk, Decays } from '../linear/decays.ts';
import { solverOf } from '../linear/solve.ts';
import type { Solver } from '../linear/solve.ts';
import { divideByWeights, linearSource } from '../linear/source.ts';
import type { LinearSource } from '../linear/source.ts';

/** Positions of a chunk: fewer for the delta rules, whose systems take as many products as a chunk has doublings. */
const [plainSize, deltaSize] = [64, 32];

/** Linear attention in chunks of positions: dense products inside of a chunk, a state from one to the next. */
export const linearChunked: TfjsKernel = {
  variant: 'linear',
  kernel: 'chunked',
  summary: `chunks of ${plainSize} positions, or ${deltaSize} for the delta rules: products within a chunk, a state between chunks`,
  selects: () => 'nothing',
  scoredPairs(parameters, shape) {
    const settings = linearSettings(parameters);
    if (isOneState(settings, shape)) return 0;
    const perHead = chunksOf(settings, shape).reduce((sum, { count, from }) => sum + (count - from) * count, 0);
    return shape.batch * shape.heads * perHead;
  },
  plan(site) {
    const { tf } = site;
    const settings = linearSettings(site.parameters);
    const chunks = isOneState(settings, site.shape) ? undefined : chunksOf(settings, site.shape);
    const solve = settings.beta === undefined ? undefined : solverOf(site, chunks!, settings.beta);
    return (tensors) => {
      const outputs = headGroups(site, tensors).map((group) =>
        tf.tidy(() => {
          const read = readGroup(site, group, { settings, chunks, solve });
          return settings.normalized ? divideByWeights(site, read) : read;
        }),
      );
      return joinGroups(site, outputs);
    };
  },
};

/** Whether every query sees every key alike. */
function isOneState({ rule }: LinearSettings, { causal }: Shape): boolean {
  return rule === 'linear' && !causal;
}

/** Chunks of the keys' axis, the last one shorter; queries stand at its last positions. */
function chunksOf({ beta }: LinearSettings, { queries, keys }: Shape): Chunk[] {
  const size = beta === undefined ? plainSize : deltaSize;
  return Array.from({ length: Math.ceil(keys / size) }, (_, index) => {
    const first = index * size;
    const count = Math.min(size, keys - first);
    return { first, count, from: Math.min(count, Math.max(0, keys - queries - first)) };
  });
}

interface Plan {
  readonly settings: LinearSettings;
  /** Undefined where every query reads one state. */
  readonly chunks: readonly Chunk[] | undefined;
  /** Of the delta rules. */
  readonly solve: Solver | undefined;
}

/** What the queries of a group read: `[size, queries, columns]`. */
function readGroup(site: Site, group: HeadGroup, { settings, chunks, solve }: Plan): Tensor {
  const { tf, shape } = site;
  const source = linearSource(site, group, settings);
  if (chunks === undefined) return tf.matMul(source.query.whole, tf.matMul(transposed(tf, source.key.whole), source.value.whole));
  const decays = decaysOf(site, group, settings);
  const parts = chunks.map((chunk) => ({ chunk, decays: decays(chunk) }));
  const within = (part: Part) => tensorsOf(site, source, part);
  const forward = overParts(tf, parts, (state, part) => readChunk(tf, state, within(part), solve));
  const backward = shape.causal ? [] : overParts(tf, parts.toReversed(), (later, part) => readLater(tf, later, within(part))).toReversed();
  const outputs = forward.map((output, index) => sumOf(tf, output, backward[index])).filter((output) => output !== undefined);
  const unseen = Math.max(0, shape.queries - shape.keys);
  const columns = source.value.whole.shape[2]!;
  return joinTensors(tf, unseen === 0 ? outputs : [tf.zeros([group.size, unseen, columns]), ...outputs], 1);
}

interface Part {
  readonly chunk: Chunk;
  readonly decays: Decays;
}

/** One chunk's rows: its queries and how they have decayed, absent where no query is. */
interface ChunkTensors extends Decays {
  readonly query: { readonly rows: Tensor; readonly before: Tensor | undefined; readonly after: Tensor | undefined } | undefined;
  readonly key: Tensor;
  readonly keyTransposed: Tensor;
  readonly value: Tensor;
}

function tensorsOf({ tf, shape }: Site, source: LinearSource, { chunk: { first, count, from }, decays }: Part): ChunkTensors {
  const key = source.key.rows(first, count);
  const ofQueries = (factor: Tensor | undefined) => factor && tf.slice(factor, [0, from, 0], [factor.shape[0]!, count - from, 1]);
  const rows = () => source.query.rows(first + from - positionOffset(shape), count - from);
  return {
    ...decays,
    query: from === count ? undefined : { rows: rows(), before: ofQueries(decays.before), after: ofQueries(decays.after) },
    key,
    keyTransposed: transposed(tf, key),
    value: source.value.rows(first, count),
  };
}

/** What a chunk's queries read, if it has any, and the state that the chunk leaves. */
interface Step {
  readonly state: Tensor;
  readonly output: Tensor | undefined;
}

/** What each part gives, one after the other; a state that is undefined is 0. */
function overParts(tf: Tf, parts: readonly Part[], step: (state: Tensor | undefined, part: Part) => Step): Array<Tensor | undefined> {
  let state: Tensor | undefined;
  return parts.map((part) => {
    const [next, output] = tf.tidy(() => {
      const done = step(state, part);
      return done.output === undefined ? [done.state] : [done.state, done.output];
    });
    state?.dispose();
    state = next;
    return output;
  });
}

/** Of earlier chunks through the state, and of the chunk's own keys directly. */
function readChunk(tf: Tf, state: Tensor | undefined, chunk: ChunkTensors, solve: Solver | undefined): Step {
  const { query, keyTransposed, value, between, after, whole } = chunk;
  const written = solve === undefined ? value : writesOf(tf, state, chunk, solve);
  const own = query && tf.matMul(tf.mul(tf.matMul(query.rows, keyTransposed), between), written);
  const output = own && sumOf(tf, own, state && tf.matMul(decayed(tf, query.rows, query.before), state));
  const added = tf.matMul(decayed(tf, keyTransposed, after && transposed(tf, after)), written);
  return { state: sumOf(tf, added, state && decayed(tf, state, whole)), output };
}

/** What the delta rule writes: as it replaces what the state holds of a key, and what earlier keys of the chunk wrote. */
function writesOf(tf: Tf, state: Tensor | undefined, { key, keyTransposed, value, before, earlier }: ChunkTensors, solve: Solver): Tensor {
  const missing = state === undefined ? value : tf.sub(value, tf.matMul(decayed(tf, key, before), state));
  return solve(tf.mul(tf.matMul(key, keyTransposed), earlier!), missing);
}

/** Of later chunks, and the state before the chunk. */
function readLater(tf: Tf, later: Tensor | undefined, { query, keyTransposed, value, before, whole }: ChunkTensors): Step {
  const output = query && later && tf.matMul(decayed(tf, query.rows, query.after), later);
  const added = tf.matMul(decayed(tf, keyTransposed, before && transposed(tf, before)), value);
  return { state: sumOf(tf, added, later && decayed(tf, later, whole)), output };
}

function transposed(tf: Tf, tensor: Tensor): Tensor {
  return tf.transpose(tensor, [0, 2, 1]);
}

/** What has decayed by `factor`; undefined: not at all. */
function decayed(tf: Tf, tensor: Tensor, factor: Tensor | undefined): Tensor {
  return factor === undefined ? tensor : tf.mul(tensor, factor);
}

function sumOf<T extends Tensor | undefined>(tf: Tf, one: T, other: Tensor | undefined): T | Tensor {
  return one === undefined || other === undefined ? one : tf.add(one, other);
}
