import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawGraph } from '../tests/drawn/graphs.ts';
import { judgeGraph } from '../tests/drawn/judge.ts';
import type { Judgment } from '../tests/drawn/judge.ts';

/**
 * Swaps drawn attention graphs (kinds of masks × layouts × operators × forms of inputs) by the command line, and compares each with its
 * original in ONNX Runtime alone, at three lengths and with every input varied. Prints what was not right, and how many were refused.
 * Fails where a file is wrong or a swap crashed.
 */
const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: '500' },
    first: { type: 'string', default: '0' },
    variant: { type: 'string', default: 'dense.fused' },
    all: { type: 'boolean', default: false },
  },
});
const [first, count] = [Number(values.first), Number(values.graphs)];
const byKind = new Map<string, Record<Judgment['verdict'], number>>();
const folder = await mkdtemp(join(tmpdir(), 'attnswap-drawn-'));
process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
try {
  for (let seed = first; seed < first + count; seed++) {
    const graph = drawGraph(seed);
    const { verdict, reason } = await judgeGraph(graph, folder, { variant: values.variant });
    const counts = byKind.get(graph.kind) ?? { right: 0, refused: 0, wrong: 0, crashed: 0 };
    counts[verdict] += 1;
    byKind.set(graph.kind, counts);
    if (values.all || verdict === 'wrong' || verdict === 'crashed') console.log(`#${seed} ${verdict}: ${graph.text}: ${reason}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const total = (verdict: Judgment['verdict']): number => [...byKind.values()].reduce((sum, counts) => sum + counts[verdict], 0);
console.log(`${'mask'.padEnd(12)}${['right', 'refused', 'wrong', 'crashed'].map((name) => name.padStart(9)).join('')}`);
for (const [kind, { right, refused, wrong, crashed }] of byKind)
  console.log(`${kind.padEnd(12)}${[right, refused, wrong, crashed].map((number) => String(number).padStart(9)).join('')}`);
const refused = `${((100 * total('refused')) / count).toFixed(1)} %`;
console.log(
  `${count} graphs: ${total('right')} right, ${total('refused')} refused (${refused}), ${total('wrong')} wrong, ${total('crashed')} crashed`,
);
if (total('wrong') + total('crashed') > 0) process.exitCode = 1;
