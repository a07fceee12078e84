import * as ort from '../src/processes/onnxruntime.ts';
import { GraphBuilder } from '../src/model/graph/graph-builder.ts';
import { median } from '../src/statistics/order-statistics.ts';

// What a masked score costs ONNX Runtime's softmax: rows of 160 scores, half of them at a given distance below the largest.
const [rows, columns] = [8192, 160];
const graph = new GraphBuilder();
const output = graph.op('Softmax', [graph.input('scores', 'f32', ['rows', columns])], { axis: -1 });
const session = await ort.InferenceSession.create(graph.model([{ name: 'weights', value: output, type: 'f32' }]), { logSeverityLevel: 3 });

console.log('masked score   ns/score   masked weight');
for (const masked of [0, -60, -84, -95, -104, -1e30]) {
  const scores = Float32Array.from({ length: rows * columns }, (_, index) => (index % columns < columns / 2 ? masked : 4 * Math.random()));
  const feeds = { scores: new ort.Tensor('float32', scores, [rows, columns]) };
  const durations: number[] = [];
  let weight = 0;
  for (let call = 0; call < 40; call++) {
    const start = performance.now();
    const { weights } = await session.run(feeds);
    durations.push(performance.now() - start);
    weight = (weights!.data as Float32Array)[0]!;
  }
  const perScore = (median(durations.slice(10)) * 1e6) / scores.length;
  console.log(`${masked.toExponential(1).padStart(12)}   ${perScore.toFixed(2).padStart(8)}   ${weight.toExponential(1)}`);
}
