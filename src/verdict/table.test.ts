import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, sampleWithoutFigures, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { verdictTable } from './table.ts';

test('the sentence comes first, then the worst row, and the host last', () => {
  const comparisons = [
    sampleComparison({ name: 'good' }),
    sampleComparison({ name: 'bad', outcome: 'regression', owner: 'team-x', reason: 'worse' }),
  ];
  const lines = verdictTable(
    sampleVerdict(comparisons, { summary: '1 of 2 comparisons regressed.', outcome: 'regression', exitCode: 1 }),
  ).split('\n');
  assert.equal(lines[0], '1 of 2 comparisons regressed.');
  assert.match(lines[2]!, /^comparison +metric +base → new +change +margin +blocks +outcome$/);
  assert.match(lines[3]!, /^bad +latency +12\.3 → 12\.7 ms +\+3\.2 % \[−1\.1, 4\.4\] +5 % +5 +regression$/);
  assert.match(lines[4]!, /^good .* pass$/);
  assert.equal(lines[6], 'regression: bad (latency): worse (owner: team-x)');
  assert.match(lines.at(-2)!, /^host: Xeon/);
  assert.match(lines.at(-1)!, /base: \.\.\/base · seed 1 · .*exit code 1$/);
});

test('a slowdown that the margin lets pass is said in words', () => {
  const slower = sampleComparison({ effect: { estimate: 0.02, low: 0.004, high: 0.041, confidence: 0.965 } });
  const text = verdictTable(sampleVerdict([slower]));
  assert.match(text, / pass \(slower\)$/m);
  assert.match(text, /^slower, within the margin: window\.tiled:w=256 \(latency\)$/m);
});

test('comparisons with one reason share one note', () => {
  const comparisons = [512, 1024, 2048, 4096].map((queries) =>
    sampleWithoutFigures({ name: 'a', cell: `a b1 q${queries} k${queries}`, outcome: 'incomparable', reason: 'another host' }),
  );
  const text = verdictTable(sampleVerdict(comparisons, { outcome: 'incomparable', exitCode: 4 }));
  assert.equal(text.match(/another host/g)?.length, 1);
  assert.match(text, /a q512 \(latency\), .*, and 1 other: another host/);
});

test('every outcome is named in its row, and every one but a pass has its reason', () => {
  for (const outcome of outcomes) {
    for (const decides of [true, false]) {
      const text = verdictTable(sampleVerdict([sampleComparison({ outcome, decides, reason: 'since it is so' })]));
      assert.match(text, new RegExp(`${outcome}${decides ? '' : '\\*'}$`, 'm'));
      assert.equal(text.includes('since it is so'), outcome !== 'pass' && outcome !== 'improvement');
      assert.equal(text.includes('informational'), !decides);
    }
  }
  assert.match(
    verdictTable(sampleVerdict([sampleComparison({ outcome: 'inconclusive', onInconclusive: 'pass' })])),
    /allowed by the\s+gate/,
  );
});

test('untrusted text keeps to 100 columns, hides nothing and commands nothing', () => {
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const rendered = verdictTable(untrustedVerdict(text));
    assert.doesNotMatch(rendered, /[^\P{C}\n]|[\u2028\u2029]/u, name);
    assert.ok(rendered.length < 30_000, name);
    for (const line of rendered.split('\n')) {
      assert.ok(line.length <= 106, `${name}: ${line}`);
      assert.doesNotMatch(line, /^\s*::|##\[/, name);
    }
    assert.equal(verdictTable(untrustedVerdict(text)), rendered);
  }
});

test('a verdict without comparisons still says its sentence', () => {
  assert.match(
    verdictTable(sampleVerdict([], { summary: 'Nothing was compared.', outcome: 'error', exitCode: 5 })),
    /^Nothing was compared\.\n\nhost: /,
  );
});

test('a row of long figures keeps to 100 columns', () => {
  const wide = sampleComparison({
    name: 'gated.tiled:sparsity=0.4,block=64',
    metric: 'scored-pairs',
    outcome: 'inconclusive',
    decides: false,
    base: 196_000,
    new: 12_700_000,
    margin: 0.125,
    effect: { estimate: -0.117, low: -0.148, high: 0.133, confidence: 0.965 },
  });
  for (const line of verdictTable(sampleVerdict([wide])).split('\n')) assert.ok(line.length <= 100, line);
});
