import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditFinding, AuditPoint } from '../contract/audit.ts';
import { normalQuantile } from '../statistics/normal.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { auditLooks, canTell, expectedSlopes, judgeAudit } from './judge-audit.ts';
import type { AuditEvidence } from './judge-audit.ts';

const length = 4096;
const window = 256;
const windows = [256, 512, 1024, 2048, 4096];
const lengths = [512, 1024, 2048, 4096];

/** Pairs of causal attention with a window. */
const pairs = (w: number, n: number) => (w >= n ? (n * (n + 1)) / 2 : (w * (w + 1)) / 2 + (n - w) * w);

interface Made {
  /** Nanoseconds of a call, from the pairs that it needs and the length. */
  readonly time: (needed: number, n: number) => number;
  readonly bytes?: (n: number) => number;
  readonly overheadNs?: number;
  readonly rounds?: number;
  /** A factor on every time. */
  readonly noise?: (round: number) => number;
  readonly onProcessors?: boolean;
}

const linear = (n: number) => 4000 * n;
const squared = (n: number) => 32 * n * n;

function evidence({ time, bytes = linear, overheadNs, rounds = 3, noise = () => 1, onProcessors = true }: Made): AuditEvidence {
  const settings = [...windows.map((w) => [w, length] as const), ...lengths.slice(0, -1).map((n) => [window, n] as const)];
  const points = settings.map(([knob, n]): AuditPoint => {
    const ns = (round: number) => time(pairs(knob, n), n) * noise(round);
    const made = Array.from({ length: rounds }, (_, round) => ({ latencyNs: ns(round), cpuNs: ns(round), peakBytes: bytes(n) }));
    return { length: n, knob, neededWork: pairs(knob, n), fullWork: pairs(n, n), rounds: made };
  });
  const overhead = overheadNs === undefined ? null : { latencyNs: overheadNs, cpuNs: overheadNs };
  return { points, length, knob: window, overhead, onProcessors, tail: auditLooks(rounds).tail };
}

const judge = (made: Made) => judgeAudit(evidence(made));
const found = (made: Made, against: AuditFinding['against'], figure: AuditFinding['figure'] = 'cpu-time') =>
  judge(made).findings.find((finding) => finding.against === against && finding.figure === figure)!;

const skips: Made = { time: (needed) => needed };
const masks: Made = { time: (_, n) => pairs(n, n) };

test('time in proportion to the pairs needed skips: slope 1 over them, and the definition’s own over the length', () => {
  const { verdict, exitCode } = judge(skips);
  assert.deepEqual([verdict, exitCode], ['skips', 0]);
  const knob = found(skips, 'knob');
  assert.ok(Math.abs(knob.slope! - 1) < 1e-12 && Math.abs(knob.expected!.everything) < 1e-12);
  const over = found(skips, 'length');
  assert.ok(Math.abs(over.slope! - over.expected!.needed) < 1e-12);
  assert.ok(over.expected!.needed > 1 && over.expected!.needed < 1.2 && over.expected!.everything > 1.99);
});

test('time in proportion to all pairs only masks: slope 0 over the pairs needed, 2 over the length', () => {
  const { verdict, exitCode } = judge(masks);
  assert.deepEqual([verdict, exitCode], ['masks-only', 1]);
  assert.ok(Math.abs(found(masks, 'knob').slope!) < 1e-12);
  assert.equal(found(masks, 'length').standing, 'masks-only');
});

test('memory as n² is told beside what masks only, and is a verdict of its own beside what skips', () => {
  const both = judge({ ...masks, bytes: squared });
  assert.equal(both.verdict, 'masks-only');
  assert.match(both.reason, /memory grows as n²/);
  const copies = judge({ ...skips, bytes: squared });
  assert.deepEqual([copies.verdict, copies.exitCode, copies.settled], ['copies-n2', 1, true]);
  const half = judge({ ...skips, bytes: squared, overheadNs: 1e12 });
  assert.deepEqual([half.verdict, half.settled], ['copies-n2', false], 'more rounds may decide its work');
});

test('a peak below one byte per pair proves that nothing of n² is copied; peaks too small for that, and for a slope, decide nothing', () => {
  const small = { ...skips, bytes: () => 1000 };
  assert.equal(found(small, 'length', 'peak-memory').standing, 'linear');
  assert.equal(judge(small).verdict, 'skips');
  const { points, ...rest } = evidence({ ...skips, bytes: () => 900_000 });
  const judged = judgeAudit({
    ...rest,
    length: 512,
    points: points.filter((point) => point.length <= 512 || point.knob === window).map((point) => ({ ...point, length: point.length / 8 })),
  });
  assert.equal(judged.findings.find(({ figure, against }) => figure === 'peak-memory' && against === 'length')!.standing, 'inconclusive');
});

test('work that adds a part of its own, which grows with the length alone, still skips', () => {
  const parts: Made = { time: (needed, n) => needed + 1000 * n };
  assert.equal(judge(parts).verdict, 'skips');
  const { slope, expected } = found(parts, 'knob');
  assert.ok(slope! > expected!.cut && slope! < 0.8, String(slope));
});

test('a step in time where a cache ends changes no verdict', () => {
  const step = (needed: number, n: number) => (needed * 8 > 1e7 || n > 2000 ? 1.5 : 1);
  assert.equal(judge({ time: (needed, n) => needed * step(needed, n) }).verdict, 'skips');
  assert.equal(judge({ time: (needed, n) => pairs(n, n) * step(needed, n) }).verdict, 'masks-only');
});

test('a fixed overhead hides no mask: what it dominates is set aside, and never called a skip', () => {
  for (const share of [0.01, 0.1, 0.3, 1, 10]) {
    const overheadNs = share * pairs(length, length);
    const masked = judge({ time: (_, n) => overheadNs + pairs(n, n), overheadNs });
    assert.ok(share < 0.5 ? masked.verdict === 'masks-only' : masked.verdict === 'inconclusive', `${share}: ${masked.verdict}`);
    const skipped = judge({ time: (needed) => overheadNs + needed, overheadNs });
    assert.ok(share < 0.03 ? skipped.verdict === 'skips' : skipped.verdict !== 'masks-only', `${share}: ${skipped.verdict}`);
  }
  const hidden = { time: (needed: number) => 1e9 + needed, overheadNs: 1e9 };
  assert.match(judge(hidden).reason, /only 0 of 5 points take 3 times the fixed overhead: use a larger --length/);
  assert.equal(found(hidden, 'knob').setAside, 5);
});

test('what depends on neither, such as the rest of a model, is not called a mask', () => {
  const { verdict, exitCode, reason } = judge({ time: (needed, n) => 1e5 * n + needed });
  assert.deepEqual([verdict, exitCode], ['inconclusive', 2]);
  assert.match(reason, /contradict/);
});

test('noise of a tenth hides neither, and no draw takes the one for the other', () => {
  const generator = seededGenerator(1, 'audit');
  const noise = () => Math.exp(0.1 * normalQuantile((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30));
  const tally = { right: 0, wrong: 0 };
  for (let draw = 0; draw < 200; draw++) {
    for (const [made, right] of [
      [skips, 'skips'],
      [masks, 'masks-only'],
    ] as const) {
      const { verdict } = judge({ ...made, noise, rounds: 6 });
      if (verdict === right) tally.right++;
      else if (verdict !== 'inconclusive') tally.wrong++;
    }
  }
  assert.equal(tally.wrong, 0);
  assert.ok(tally.right >= 398, `${tally.right} of 400`);
});

test('the interval is of the spread between rounds: where they contradict each other, nothing is decided', () => {
  const half = evidence({ ...skips, rounds: 4 });
  const points = half.points.map((point) => ({
    ...point,
    rounds: point.rounds.map((round, index) => (index % 2 === 0 ? round : { ...round, cpuNs: point.fullWork, latencyNs: point.fullWork })),
  }));
  const judged = judgeAudit({ ...half, points });
  assert.equal(judged.verdict, 'inconclusive');
  const knob = judged.findings.find(({ against, figure }) => against === 'knob' && figure === 'cpu-time')!;
  assert.ok(Math.abs(knob.slope! - 0.5) < 1e-12 && knob.low! < 0 && knob.high! > 1);
  assert.match(knob.reason, /includes the cut at 0\.25/);
});

test('one round has no interval, and decides nothing', () => {
  assert.equal(judge({ ...skips, rounds: 1 }).verdict, 'inconclusive');
});

test('on processors CPU time decides, elsewhere latency; the other is shown', () => {
  const busy = evidence(skips);
  const points = busy.points.map((point) => ({ ...point, rounds: point.rounds.map((round) => ({ ...round, latencyNs: 1e9 })) }));
  assert.equal(judgeAudit({ ...busy, points }).verdict, 'skips');
  assert.notEqual(judgeAudit({ ...busy, points, onProcessors: false }).verdict, 'skips');
  const untold = points.map((point) => ({ ...point, rounds: point.rounds.map((round) => ({ ...round, cpuNs: null })) }));
  assert.ok(judgeAudit({ ...busy, points: untold }).findings.every(({ figure }) => figure !== 'cpu-time'));
});

test('a work that hardly differs from that of dense attention by its definition is not judged', () => {
  const { points, ...rest } = evidence(skips);
  const scoring = points.map((point) => ({ ...point, neededWork: 0.99 * point.fullWork }));
  const lengthsOnly = scoring.filter(({ knob }) => knob === window);
  assert.equal(canTell(expectedSlopes(lengthsOnly, 'length')), false);
  const judged = judgeAudit({ ...rest, length: 0, points: lengthsOnly });
  assert.ok(
    judged.findings.filter(({ figure }) => figure !== 'peak-memory').every(({ standing, decides }) => standing === null && !decides),
  );
});

test('rounds are looked at after three, and at the end', () => {
  assert.deepEqual(auditLooks(6).looks, [3, 6]);
  assert.deepEqual(auditLooks(3).looks, [3]);
  assert.deepEqual(auditLooks(2).looks, [2]);
});
