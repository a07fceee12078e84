import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { wordTokenizer } from '../../src/data/fixtures/word-tokenizer.ts';
import { readOnnxFile } from '../../src/model/file/onnx-file.ts';
import { findSites } from '../../src/model/sites/find-sites.ts';
import { migrate } from '../../src/operations/migrate.ts';
import { build } from '../models/torchscript-gpt2.ts';
import { emptyFolder } from '../run-cli.ts';
import { runner } from '../subjects.ts';

test('a decoder whose new attention saves memory is compared once more in both uses, and written', async () => {
  process.chdir(emptyFolder());
  writeFileSync('model.onnx', build());
  writeFileSync('book.txt', Array.from({ length: 900 }, (_, index) => (index * 7919).toString(26).replace(/\d/g, 'x')).join(' '));
  writeFileSync('tokenizer.json', JSON.stringify(wordTokenizer));
  const { candidates, final, verdict } = await migrate({
    ...{ model: 'model.onnx', data: ['book.txt'], tokenizer: 'tokenizer.json', dir: 'state' },
    ...{ lengths: [384], items: 3, candidates: ['dense.fused'], goal: 'memory', evaluations: 1, maxBlocks: 3, generate: 4 },
    // Of calls this short, three blocks say nothing of smaller changes.
    margin: 0.5,
  });
  const [fused] = candidates!;
  assert.deepEqual([fused!.memory?.outcome, fused!.generation!.summary!.agreement.mean], ['improvement', 1]);
  assert.equal(verdict, 'adopt', JSON.stringify(final?.decision ?? fused!.decision));
  assert.deepEqual(
    [final!.memory, final!.decode!.latency, final!.decode!.memory].map((all) => all.map(({ length }) => length)),
    [[384], [384], [384]],
  );
  assert.equal(final!.memory[0]!.comparison.outcome, 'improvement');
  assert.equal(final!.model, join('state', 'migrated.onnx'));
  const { sites } = await findSites(await readOnnxFile(final!.model!), runner);
  assert.deepEqual(
    sites.map(({ pattern, swappable }) => [pattern, swappable]),
    [
      ['MultiHeadAttention', true],
      ['MultiHeadAttention', true],
    ],
  );
});
