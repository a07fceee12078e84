import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suiteSchema } from '../contract/suite.ts';
import type { SuiteDefinition } from '../contract/suite.ts';
import { hashOfSuite, loadSuite } from '../loading/suite.ts';
import { jobSuiteSchema } from './documents.ts';
import { jobSuite, suiteOfJob } from './job-suite.ts';

const matrix = { variants: ['dense'], backends: ['onnx-cpu'], lengths: [64] };
const loaded = (definition: Partial<SuiteDefinition>) => {
  const suite = suiteSchema.parse({ name: 'mine', matrix, ...definition });
  return { suite, sha256: hashOfSuite(suite), adapters: [] };
};

test('a built-in suite travels by name and hash, another one as data; both arrive as they were', async () => {
  const smoke = await loadSuite('smoke');
  const named = jobSuite('smoke', smoke);
  assert.deepEqual(named, { name: 'smoke', sha256: smoke.sha256 });
  assert.deepEqual((await suiteOfJob(named)).suite, smoke.suite);
  const mine = loaded({ description: 'two\nlines', exclude: [{ length: 128 }] });
  const carried = jobSuiteSchema.parse(JSON.parse(JSON.stringify(jobSuite('./mine.suite.ts', mine))));
  assert.deepEqual(await suiteOfJob(carried), mine);
});

test('an unknown suite, a path and another hash are refused', async () => {
  const sha256 = '0'.repeat(64);
  await assert.rejects(suiteOfJob({ name: 'nowhere', sha256 }), { code: 'UNKNOWN_SUITE' });
  await assert.rejects(suiteOfJob({ name: 'smoke', sha256 }), /of this installation has the hash .*, the job's 000000000000/);
  await assert.rejects(suiteOfJob({ data: loaded({}).suite, sha256 }), { code: 'INVALID_SUITE' });
  for (const name of ['../smoke', '/etc/passwd', './smoke.suite.ts', 'file:///smoke', 'Smoke'])
    assert.ok(!jobSuiteSchema.safeParse({ name, sha256 }).success, name);
});

test('a suite that needs code or files is refused, when it is submitted and when it arrives', async () => {
  const needing: ReadonlyArray<readonly [Partial<SuiteDefinition>, RegExp]> = [
    [{ adapters: ['./mine.ts'] }, /names adapters or workers/],
    [{ workers: ['python3 mine.py'] }, /names adapters or workers/],
    [{ matrix: { ...matrix, inputs: ['captured:/etc/passwd'] } }, /accepts no files/],
    [
      { matrix: { ...matrix, shapes: ['q1s4k'], lengths: Array.from({ length: 10_000 }, (_, index) => index + 1) } },
      /declares 10001 cells/,
    ],
  ];
  for (const [definition, says] of needing) {
    const suite = loaded(definition);
    assert.throws(() => jobSuite('./mine.suite.ts', suite), says);
    await assert.rejects(suiteOfJob({ data: suite.suite, sha256: suite.sha256 }), says);
  }
});
