import * as ort from '../src/processes/onnxruntime.ts';
import { adapter } from '../adapters/onnx/with-graphs.ts';
import { RandomStream } from '../src/inputs/random.ts';
import { exportTestbed } from '../src/training/export-onnx.ts';
import { initialWeights } from '../src/training/initial-weights.ts';
import { readTestbed } from '../src/training/testbed.ts';
import type { Testbed } from '../src/training/testbed.ts';
import { table } from '../src/text/layout.ts';
import { digits } from '../src/text/figures.ts';

// What leaving early is worth in an exported model, and what exits cost where nobody leaves: drawn weights, four sequences of 1024 tokens, one
// thread, each model called in turn with the one without exits. Exits at the highest confidence are never sure here: who is not asked leaves at the first.
const [layers, batch, length, calls] = [6, 4, 1024, 15];
const sizes = { vocabulary: 64, classes: 16, length, width: 64, heads: 2, hidden: 128 };
const kind = { position: 'rotary', norm: 'layer', normPlacement: 'before', causal: true, attention: new Array(layers).fill('dense') };
const stream = new RandomStream(1, 'exits');
const tokens = tensorOf(
  'int64',
  BigInt64Array.from({ length: batch * length }, () => BigInt(Math.floor(64 * stream.uniform()))),
);

const exits = new Array<number>(layers - 1).fill(1 - 2 ** -20);
const [plain, bySequence, byPosition] = [
  await sessionOf({}),
  await sessionOf({ exits, exitBy: 'sequence' }),
  await sessionOf({ exits, exitBy: 'position' }),
];
const everywhere = () => 1;
const cases: ReadonlyArray<readonly [string, ort.InferenceSession, (item: number, place: number) => number]> = [
  ['sequences: none leaves', bySequence, everywhere],
  ['sequences: 2 of 4 leave at layer 1', bySequence, (item) => Number(item < 2)],
  ['sequences: all leave at layer 1', bySequence, () => 0],
  ['positions: none leaves', byPosition, everywhere],
  ['positions: half leave at layer 1', byPosition, (_item, place) => place % 2],
  ['positions: 7 of 8 leave at layer 1', byPosition, (_item, place) => Number(place % 8 === 7)],
  ['positions: all but the last leave at layer 1', byPosition, (_item, place) => Number(place === length - 1)],
  ['positions: all leave at layer 1', byPosition, () => 0],
];
const rows: string[][] = [];
for (const [name, session, isAsked] of cases) {
  const asked = tensorOf(
    'bool',
    Uint8Array.from({ length: batch * length }, (_, at) => isAsked(Math.floor(at / length), at % length)),
  );
  const pairs: Array<readonly [number, number]> = [];
  for (let call = -2; call < calls; call++) {
    const first = await timed(call % 2 === 0 ? plain : session, call % 2 === 0 ? { tokens } : { tokens, asked });
    const second = await timed(call % 2 === 0 ? session : plain, call % 2 === 0 ? { tokens, asked } : { tokens });
    if (call >= 0) pairs.push(call % 2 === 0 ? [first, second] : [second, first]);
  }
  const ratios = pairs.map(([base, fresh]) => fresh / base).toSorted((a, b) => a - b);
  const quartile = (share: number) => digits(ratios[Math.floor(share * (calls - 1))]!);
  rows.push([name, quartile(0.5), `${quartile(0.25)} … ${quartile(0.75)}`]);
}
console.log(`${layers} layers, width ${sizes.width}, ${batch} sequences of ${length} tokens, dense attention, one thread, ${calls} calls`);
console.log(table([['who leaves', 'time, relative to no exits', 'middle half'], ...rows]));

async function sessionOf(changes: Partial<Testbed>): Promise<ort.InferenceSession> {
  const testbed = readTestbed({ ...sizes, ...kind, ...changes }, 'bench');
  const model = exportTestbed(testbed, initialWeights(testbed, 1), { adapter });
  return ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
}

function tensorOf(type: 'int64' | 'bool', data: BigInt64Array | Uint8Array): ort.Tensor {
  return new ort.Tensor(type, data, [batch, length]);
}

/** Milliseconds. */
async function timed(session: ort.InferenceSession, feeds: Record<string, ort.Tensor>): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}
