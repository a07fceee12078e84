import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readRun } from '../src/contract/run.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { skipBefore2 } from './torch-installed.ts';

const logitBytes = 4 * 1024 ** 2 * 4;

// Before PyTorch 2 the module's own operator takes no causal mask, and there was no scaled_dot_product_attention for it to use.
test(
  'nn.MultiheadAttention writes the n² logits out in evaluation, and says so; in training it does not',
  { skip: skipBefore2 },
  async () => {
    const cwd = emptyFolder();
    const matrix = { variants: ['dense.mha'], backends: ['torch-cpu'], lengths: [1024], heads: 4, headDim: 16 };
    const suite = { name: 'heads', matrix: { ...matrix, passes: ['forward', 'forward+backward'] }, sampleSeconds: 0.05, wasteRows: 4 };
    writeFileSync(join(cwd, 'heads.suite.ts'), `export default ${JSON.stringify(suite)};\n`);
    const { exitCode, stderr } = await attnswap(['bench', './heads.suite.ts', '--quiet'], { cwd });
    const { cells } = readRun(JSON.parse(readFileSync(join(cwd, 'runs/heads.run.json'), 'utf8')), 'heads');
    const [evaluated, trained] = ['mha forward', 'mha forward+backward'].map((each) =>
      cells.find(({ kernel, pass = 'forward' }) => `${kernel} ${pass}` === each)!,
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(evaluated!.status, 'ok', evaluated!.reason ?? stderr);
    assert.ok(evaluated!.memory!.peakHostBytes >= logitBytes, JSON.stringify(evaluated!.memory));
    assert.ok(evaluated!.dispatch!.flags.includes('the n² logits were materialised'));
    assert.ok(trained!.memory!.peakHostBytes < logitBytes, JSON.stringify(trained!.memory));
    assert.match(trained!.dispatch!.flags.join('; '), /ran its flash backend/);
  },
);
