import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { wordTokenizer } from '../src/data/fixtures/word-tokenizer.ts';
import { migrate } from '../src/operations/migrate.ts';
import type { MigrationRecord } from '../src/operations/migrate.ts';
import type { MigrateOptions } from '../src/operations/migrate-options.ts';
import * as decoder from './models/gqa-decoder.ts';
import * as encoder from './models/torchscript-bert.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const prose = Array.from({ length: 2000 }, (_, index) => (index * 7919).toString(26).replace(/\d/g, 'x')).join(' ');

function folder(model: Uint8Array): string {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'model.onnx'), model);
  writeFileSync(join(cwd, 'book.txt'), prose);
  writeFileSync(join(cwd, 'tokenizer.json'), JSON.stringify(wordTokenizer));
  return cwd;
}

const text: MigrateOptions = {
  model: 'model.onnx',
  data: ['book.txt'],
  tokenizer: 'tokenizer.json',
  lengths: [24],
  items: 3,
  candidates: ['dense.fused'],
};

test('a decoder with a cache is measured, judged and shown in both uses, and generates through its cache', async () => {
  const cwd = folder(decoder.build());
  const data = ['--data', 'book.txt', '--tokenizer', 'tokenizer.json', '--lengths', '24', '--items', '3'];
  const candidates = ['--candidate', 'dense.fused', '--candidate', 'window:w=1'];
  const args = ['migrate', 'model.onnx', ...data, ...candidates, '--generate', '8', '--until', 'swap', '--dir', 'state', '--quiet'];
  const { stdout, stderr, exitCode } = await attnswap(args, { cwd });
  assert.ok([0, 1, 2].includes(exitCode ?? -1), stderr);
  const { baseline, candidates: judged, ...record } = JSON.parse(readFileSync(join(cwd, 'state/record.json'), 'utf8')) as MigrationRecord;
  assert.equal(exitCode, { adopt: 0, 'tune-first': 2, reject: 1 }[record.verdict!]);

  // Two layers of keys and values, two heads of 16 channels, four bytes each.
  assert.equal(baseline.decode?.cacheBytesPerToken, 2 * 2 * 2 * 16 * 4);
  assert.deepEqual(
    baseline.decode.lengths.map(({ length, cacheBytes, medianNs, peakHostBytes }) => [length, cacheBytes, medianNs > 0, peakHostBytes > 0]),
    [[24, 24 * baseline.decode.cacheBytesPerToken, true, true]],
  );
  const [exact, blind] = judged!;
  assert.equal(exact!.decode?.latency?.metric, 'latency');
  assert.equal(exact!.decode.memory?.metric, 'peak-memory');
  assert.match(exact!.decode.quality.judgement!.reason, /an exact replacement/);
  assert.deepEqual(Object.keys(exact!.decision.uses!), ['prefill', 'decode']);
  assert.ok(exact!.decision.reasons.some((reason) => reason.startsWith('Prefill latency at 24 tokens: ')));
  assert.ok(exact!.decision.reasons.some((reason) => reason.startsWith('Decode latency with 24 cached tokens: ')));
  assert.ok(exact!.decision.reasons.some((reason) => /decoding: [\s\S]*generation: /.test(reason)));
  assert.deepEqual([exact!.generation!.summary!.agreement.mean, exact!.generation!.summary!.items], [1, 3]);
  assert.ok(exact!.generation!.summary!.bitsPerByte!.base > 0);
  assert.equal(blind!.decision.verdict, 'reject');
  assert.equal(blind!.latency, null);

  assert.match(
    stdout,
    /^Decoding: one token per call, with a full cache$[\s\S]*^24 +[\d.]+ .s [\s\S]*^the cache grows by 0\.512 kB per token/m,
  );
  assert.match(stdout, /^Generation: 8 tokens after the prompt of each of 3 items, through the cache$[\s\S]*^dense\.fused +100 % +none /m);
  assert.match(stdout, /^Verdict: .*[(; ]prefill: .*; decode: .*\)$/m);
  assert.ok(stdout.split('\n').every((line) => !line.startsWith('dense.fused ') || line.length <= 110));

  const page = await attnswap(['report', 'state', '--json', '--quiet'], { cwd });
  const report = JSON.parse(page.stdout) as { tiles: Array<{ name: string }>; sections: Array<{ id: string }> };
  assert.deepEqual(
    report.tiles.map(({ name }) => name),
    ['Prefill', 'Time per token', 'Peak memory', 'Quality'],
  );
  assert.ok(['decode', 'generation'].every((id) => report.sections.some((section) => section.id === id)));

  const again = await attnswap([...args, '--json'], { cwd });
  assert.deepEqual(
    (JSON.parse(again.stdout) as MigrationRecord).candidates,
    JSON.parse(JSON.stringify(judged)),
    'nothing is measured twice',
  );
});

test('what cannot be decoded says so: a model without a cache, a cache that is not driven, items without room', async () => {
  process.chdir(folder(encoder.build({ seed: 1 })));
  const until = 'baseline' as const;
  await assert.rejects(migrate({ ...text, until, generate: 8 }), {
    code: 'UNSUPPORTED',
    message: /--generate needs a decoder with a cache.*it has no cache/,
  });
  process.chdir(folder(decoder.build({ fault: 'rotation without the past' })));
  await assert.rejects(migrate({ ...text, until, generate: 8 }), {
    code: 'UNSUPPORTED',
    message: /differs by .* between a call behind the cache/,
  });
  const warnings: string[] = [];
  const record = await migrate({ ...text, until, onWarning: (warning) => warnings.push(warning) });
  assert.equal(record.baseline.decode, null);
  assert.match(record.notDecoded!, /differs by/);
  assert.ok(warnings.some((warning) => warning.startsWith('decoding through the cache is not measured: ')));
  process.chdir(folder(decoder.build()));
  await assert.rejects(migrate({ ...text, until, generate: 24 }), { code: 'INVALID_DATA', message: /no item is longer than 24 tokens/ });
});
