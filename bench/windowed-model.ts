import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GraphBuilder } from '../src/model/graph/graph-builder.ts';
import { swap } from '../src/operations/swap.ts';
import { digits } from '../src/text/figures.ts';
import { bareRatio } from './bare-ratio.ts';

// What a window in a model is worth once it is skipped: attention of 8 heads × 64 with a causal sliding window, as exporters write it, before
// and after `swap --variant window:w=W`, called in turns in ONNX Runtime alone.
const { values } = parseArgs({
  options: {
    window: { type: 'string', default: '256' },
    length: { type: 'string', default: '4096' },
    calls: { type: 'string', default: '5' },
  },
});
const [window, length] = [Number(values.window), Number(values.length)];
const folder = mkdtempSync(join(tmpdir(), 'attnswap-window-'));
try {
  const [model, out] = [join(folder, 'windowed.onnx'), join(folder, 'swapped.onnx')] as const;
  writeFileSync(model, windowedAttention());
  await swap({ model, out, variants: [`window:w=${window}`] });
  const { ratio, baseMs, difference } = await bareRatio([model, out], { batch: 1, n: length }, Number(values.calls));
  console.log(
    `a window of ${window} at ${length} tokens: ${digits(baseMs)} → ${digits(baseMs * ratio)} ms, ${digits(1 / ratio)} times as fast; outputs differ by ${digits(difference)} of their size`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

function windowedAttention(): Uint8Array {
  const graph = new GraphBuilder({ opset: 17 });
  const [query = '', key = '', value = ''] = ['query', 'key', 'value'].map((name) => graph.input(name, 'f32', ['batch', 8, 'n', 64]));
  const count = graph.op('Squeeze', [graph.sizes(query, 2, 3)]);
  const column = graph.op('Range', [graph.int(0), count, graph.int(1)]);
  const distance = graph.op('Sub', [graph.op('Unsqueeze', [column, graph.int([1])]), column]);
  const [isPast, isNear] = [graph.op('GreaterOrEqual', [distance, graph.int(0)]), graph.op('Less', [distance, graph.int(window)])];
  const mask = graph.op('Where', [graph.op('And', [isPast, isNear]), graph.float(0), graph.float(-3.4028235e38)]);
  const product = graph.op('MatMul', [query, graph.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
  const logits = graph.op('Add', [graph.op('Mul', [product, graph.float(0.125)]), mask]);
  const output = graph.op('MatMul', [graph.op('Softmax', [logits], { axis: -1 }), value]);
  return graph.model([{ name: 'output', value: output, type: 'f32', shape: ['batch', 8, 'n', 64] }]);
}
