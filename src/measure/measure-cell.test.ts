import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { adapters } from '../../adapters/index.ts';
import { readSuite } from '../contract/suite.ts';
import { measureCells } from './measure-cell.ts';
import { planCells } from './plan-cells.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-suite-'));
after(() => rmSync(folder, { recursive: true }));

const onnx = fileURLToPath(new URL('../../adapters/onnx/adapter.ts', import.meta.url));

/** ONNX Runtime's kernels; those of one length never return where they are timed. */
const hanging = `import { adapter as onnx } from ${JSON.stringify(onnx)};
export const adapter = {
  ...onnx,
  async prepare(request) {
    const kernel = await onnx.prepare(request);
    const hangs = request.purpose === 'latency' && request.inputs.shape.keys === 17;
    return hangs ? { ...kernel, run: () => new Promise(() => setInterval(() => undefined, 1000)) } : kernel;
  },
};
`;

test('where the record of a cell cannot be kept, the one beside it is ended', { timeout: 120_000 }, async () => {
  const module = join(folder, 'hanging.ts');
  writeFileSync(module, hanging);
  const matrix = { variants: ['dense.fused'], backends: ['onnx-cpu'], lengths: [16, 17], heads: 1, headDim: 8, inputs: ['gaussian'] };
  const suite = { ...readSuite({ name: 'pair', matrix, sampleSeconds: 0.02, wasteRows: 4 }, 'pair'), timeoutSeconds: 3600 };
  const plans = (await planCells(suite, adapters)).map((plan) => ({ ...plan, entry: { ...plan.entry, module } }));
  const kept: string[] = [];
  const keeping = async () => {
    for await (const { status } of measureCells(plans, { suite })) {
      kept.push(status);
      throw new Error('no space left');
    }
  };
  await assert.rejects(keeping(), /no space left/);
  assert.deepEqual(kept, ['ok']);
});
