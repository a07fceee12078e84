import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Comparison, Outcome } from '../contract/verdict.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import { decideMigration } from './decide.ts';
import type { CandidateEvidence } from './decide.ts';

function compared(metric: 'latency' | 'peak-memory', length: number, outcome: Outcome, change = -0.2) {
  const comparison: Comparison = {
    id: `n${length} ${metric}`,
    name: 'window',
    cell: `n${length}`,
    metric,
    unit: metric === 'latency' ? 'ns' : 'bytes',
    base: 1e8,
    new: 1e8 * (1 + change),
    effect: { estimate: change, low: change - 0.01, high: change + 0.01, confidence: 0.965 },
    margin: 0.05,
    floor: 0.01,
    direction: 'lower',
    outcome,
    reason: 'over 8 blocks',
    onInconclusive: 'fail',
    owner: null,
    decides: true,
    minimumDetectableEffect: null,
    blocks: Array.from({ length: 8 }, () => ({ logRatio: 0, roundLogRatios: [], base: 100, new: 100, elapsedNs: 1 })),
    warnings: [],
  };
  return { length, comparison };
}
const quality = (outcome: QualityJudgement['outcome'], marginsLost: number): QualityJudgement => ({
  outcome,
  reason: 'mean difference −.01 over 50 items',
  marginsLost,
});
const evidence = (more: Partial<CandidateEvidence>): CandidateEvidence => ({
  candidate: 'window',
  latency: [compared('latency', 512, 'improvement')],
  memory: [compared('peak-memory', 512, 'pass', 0)],
  wantedLengths: [512],
  quality: quality('pass', 0.2),
  ...more,
});
const verdict = (more: Partial<CandidateEvidence>) => decideMigration(evidence(more)).verdict;

test('adopts a gain whose quality holds and that has no setback, and says by which numbers', () => {
  const { verdict: found, reasons, decidedBy } = decideMigration(evidence({}));
  assert.equal(found, 'adopt');
  assert.equal(reasons[0], 'Latency at 512 tokens: −20.0 % (−21.0 % to −19.0 %), improvement over 8 blocks.');
  assert.equal(reasons[1], 'Quality holds (20 % of the allowed loss): mean difference −.01 over 50 items.');
  assert.deepEqual(decidedBy, ['n512 latency', 'quality']);
});

test('a gain in memory alone is enough', () => {
  const latency = [compared('latency', 512, 'inconclusive', 0)];
  assert.equal(verdict({ latency, memory: [compared('peak-memory', 512, 'improvement')] }), 'adopt');
});

test('rejects where no gain is shown, however good the quality', () => {
  for (const outcome of ['pass', 'inconclusive', 'refused', 'incomplete', 'regression'] as const) {
    assert.equal(verdict({ latency: [compared('latency', 512, outcome)] }), 'reject', outcome);
  }
});

test('both uses of a decoder decide alike, and what each came to is told', () => {
  const both = (prefill: Outcome, decode: Outcome) => ({
    latency: [
      { ...compared('latency', 512, prefill), use: 'prefill' as const },
      { ...compared('latency', 512, decode), use: 'decode' as const },
    ],
    memory: [],
  });
  const found = (prefill: Outcome, decode: Outcome) => {
    const { verdict: decided, uses } = decideMigration(evidence(both(prefill, decode)));
    return [decided, uses?.prefill, uses?.decode];
  };
  assert.deepEqual(found('pass', 'improvement'), ['adopt', 'no-gain', 'better']);
  assert.deepEqual(found('improvement', 'regression'), ['tune-first', 'better', 'worse']);
  assert.deepEqual(found('regression', 'pass'), ['reject', 'worse', 'no-gain']);
  const { reasons } = decideMigration(evidence(both('improvement', 'improvement')));
  assert.match(reasons[0]!, /^Prefill latency at 512 tokens: −20\.0 %/);
  assert.match(reasons[1]!, /^Decode latency with 512 cached tokens: −20\.0 %/);
  assert.equal(decideMigration(evidence({})).uses, undefined);
});

test('a rejection names the lengths that it looked at', () => {
  const at = [256, 1024, 512].map((length) => compared('latency', length, 'pass', 0));
  const { reasons } = decideMigration(evidence({ latency: at, memory: [], wantedLengths: [256, 512, 1024] }));
  assert.equal(reasons[0], 'No gain in latency or memory is shown at 256, 512 and 1024 tokens.');
});

test('a loss is told beside what is allowed', () => {
  const told = (outcome: QualityJudgement['outcome'], lost: number) =>
    decideMigration(evidence({ quality: quality(outcome, lost) })).reasons.find((reason) => reason.startsWith('Quality'));
  assert.match(told('pass', 0)!, /^Quality holds \(no loss measured\): /);
  assert.match(told('pass', 0.0001)!, /^Quality holds \(less than 1 % of the allowed loss\): /);
  assert.match(told('regression', 2.34)!, /^Quality is lost \(2\.3 times the allowed loss\): /);
  assert.match(told('regression', Infinity)!, /^Quality is lost: /);
});

test('tunes first where quality is open, unjudged, or lost by up to five margins; beyond that, rejects', () => {
  assert.equal(verdict({ quality: quality('inconclusive', 9) }), 'tune-first');
  assert.equal(verdict({ quality: null }), 'tune-first');
  assert.equal(verdict({ quality: quality('regression', 5) }), 'tune-first');
  assert.equal(verdict({ quality: quality('regression', 5.01) }), 'reject');
  assert.equal(verdict({ quality: quality('regression', Infinity) }), 'reject');
  assert.equal(verdict({ quality: quality('regression', NaN) }), 'reject');
});

test('a gain beside a setback is to be tuned, not adopted', () => {
  const decision = decideMigration(evidence({ memory: [compared('peak-memory', 512, 'regression', 0.4)] }));
  assert.equal(decision.verdict, 'tune-first');
  assert.match(decision.reasons[0]!, /^Peak memory at 512 tokens: \+40\.0 %/);
});

test('a latency on a host that stayed busy is not measured: it hinders, whatever memory gained, and is told with its reason', () => {
  const { length, comparison } = compared('latency', 512, 'inconclusive', 0.8);
  const reason = 'busy: other work kept 1.5 processors busy in 5 of 5 blocks';
  const latency = [{ length, comparison: { ...comparison, busy: true as const, base: null, new: null, effect: null, blocks: [], reason } }];
  const memory = [compared('peak-memory', 512, 'improvement')];
  const { verdict: found, reasons, decidedBy } = decideMigration(evidence({ latency, memory }));
  assert.equal(found, 'tune-first');
  assert.equal(reasons[0], `Latency at 512 tokens: not measured, ${reason}.`);
  assert.deepEqual(decidedBy, ['n512 latency', 'n512 peak-memory']);
  assert.equal(verdict({ latency }), 'reject');
  // It is neither use's finding.
  const decode = { use: 'decode' as const };
  const { uses } = decideMigration(evidence({ latency: [{ ...latency[0]!, ...decode }], memory: [{ ...memory[0]!, ...decode }] }));
  assert.deepEqual(uses, { prefill: 'no-gain', decode: 'better' });
});

test('an inconclusive comparison says why', () => {
  const { reasons } = decideMigration(evidence({ memory: [compared('peak-memory', 512, 'inconclusive', 0.04)] }));
  assert.ok(
    reasons.some((reason) => reason.endsWith('inconclusive over 8 blocks: over 8 blocks.')),
    reasons.join('\n'),
  );
});

test('only wanted lengths count, and all do where none is named', () => {
  const latency = [compared('latency', 512, 'pass', 0), compared('latency', 4096, 'improvement')];
  const short = decideMigration(evidence({ latency }));
  assert.equal(short.verdict, 'reject');
  assert.match(short.reasons.at(-1)!, /4096 tokens: .*informational/);
  assert.equal(verdict({ latency, wantedLengths: [4096] }), 'adopt');
  assert.equal(verdict({ latency, wantedLengths: [] }), 'adopt');
});

test('a comparison that is shown only neither adopts nor hinders', () => {
  const shown = compared('latency', 512, 'improvement');
  assert.equal(verdict({ latency: [{ ...shown, comparison: { ...shown.comparison, decides: false } }] }), 'reject');
});

test('an arm that failed rejects before anything else is asked', () => {
  const decision = decideMigration(evidence({ failures: ['window at 4096: out of memory'], latency: [], memory: [], wantedLengths: [] }));
  assert.equal(decision.verdict, 'reject');
  assert.deepEqual(decision.reasons, ['An arm failed: window at 4096: out of memory.']);
  assert.equal(verdict({ latency: [compared('latency', 512, 'improvement'), compared('latency', 512, 'error')] }), 'reject');
});

test('a wanted length that was not compared is an error', () => {
  assert.throws(() => decideMigration(evidence({ wantedLengths: [512, 4096] })), { code: 'INVALID_MIGRATION', message: /4096 tokens/ });
  assert.throws(() => decideMigration(evidence({ latency: [], memory: [], wantedLengths: [] })), { code: 'INVALID_MIGRATION' });
});

test('peaks that lie nearer than noise are no gain, and no ratio of them is told', () => {
  const { length, comparison } = compared('peak-memory', 512, 'pass', -0.9);
  const tiny = { length, comparison: { ...comparison, base: 400_000, new: 40_000 } };
  const { reasons } = decideMigration(evidence({ memory: [tiny] }));
  assert.ok(reasons.includes('Peak memory at 512 tokens: less than 1 MiB apart, which is noise.'), reasons.join('\n'));
});
