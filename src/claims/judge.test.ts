import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClaimVerdict, JudgedClaim } from '../contract/claims.ts';
import { sampleMigration } from '../report/fixtures/sample-migration.ts';
import { sampleRun } from '../report/fixtures/sample-run.ts';
import { sampleTuning } from '../report/fixtures/sample-tuning.ts';
import { sampleComparison } from '../verdict/fixtures/sample-verdict.ts';
import { articleClaims } from './article/index.ts';
import type { Evidence, Figure } from './evidence.ts';
import { sampleEvidence } from './fixtures/sample-claims.ts';
import { judgeClaim, standingOf } from './judge.ts';

const least = { side: 'least', value: 3 } as const;
const most = { side: 'most', value: 3 } as const;

describe('a figure', () => {
  const standings: ReadonlyArray<[Figure['low'], Figure['high'], typeof least | typeof most, string]> = [
    [3, 4, least, 'holds'],
    [2.9, 4, least, 'undecided'],
    [2, 2.99, least, 'does-not-hold'],
    [2, 3, least, 'undecided'],
    [2, 3, most, 'holds'],
    [2, 3.1, most, 'undecided'],
    [3.1, 4, most, 'does-not-hold'],
    [null, null, least, 'undecided'],
  ];
  for (const [low, high, bound, standing] of standings)
    test(`from ${low} to ${high}, at ${bound.side} 3: ${standing}`, () => assert.equal(standingOf({ low, high }, bound), standing));
});

const given = articleClaims.find(({ id }) => id === 'memory')!;
type Ends = readonly [low: number, high: number] | null;
/** A claim of at least 3 whose definitions give these figures in turn. */
const judged = (...figures: readonly Ends[]): JudgedClaim =>
  judgeClaim(
    {
      ...given,
      bound: least,
      definitions: figures.map((ends, index) => ({
        name: `definition ${index}`,
        formula: '',
        run: () => (ends === null ? [] : [{ of: 'a kernel', value: ends[0], low: ends[0], high: ends[1] }]),
      })),
    },
    [{ kind: 'run', path: 'a.run.json', record: sampleRun() }],
  );

describe('a claim', () => {
  const verdicts: ReadonlyArray<[readonly Ends[], ClaimVerdict, JudgedClaim['decidedBy']]> = [
    [
      [
        [3, 4],
        [1, 2],
      ],
      'holds',
      'definition 0',
    ],
    [
      [
        [1, 2],
        [3, 4],
      ],
      'holds-otherwise',
      'definition 1',
    ],
    [
      [
        [2, 4],
        [3, 4],
      ],
      'holds-otherwise',
      'definition 1',
    ],
    [
      [
        [1, 2],
        [2, 4],
      ],
      'does-not-hold',
      'definition 0',
    ],
    [
      [
        [2, 4],
        [1, 2],
      ],
      'undecided',
      'definition 0',
    ],
    [[null, [1, 2]], 'does-not-hold', 'definition 1'],
    [[null, [3, 4]], 'holds', 'definition 1'],
    [[null, null], 'not-measured', null],
  ];
  for (const [figures, verdict, decidedBy] of verdicts)
    test(`with ${JSON.stringify(figures)}: ${verdict}`, () => {
      const claim = judged(...figures);
      assert.deepEqual([claim.verdict, claim.decidedBy], [verdict, decidedBy]);
    });

  test('that holds otherwise says by what, and by what it does not', () => {
    const { reason, command } = judged([1, 2], [3, 4]);
    assert.match(reason, /^definition 1 is .* while definition 0 is .*; the article’s figure requires at least/);
    assert.deepEqual(command, sampleRun().command);
  });

  test('that was not measured says what would, on the same model and data', () => {
    const record = sampleMigration({
      candidates: null,
      command: ['migrate', 'm.onnx', '--data', 'a.npz', '--data=b.npz', '--seed', '2', '--lengths', '64', '--until', 'swap'],
    });
    const { verdict, command } = judgeClaim(given, [{ kind: 'migration', path: 'runs/m.migration', record }]);
    assert.equal(verdict, 'not-measured');
    assert.deepEqual(command, [
      'claims',
      'models/model.onnx',
      '--data',
      'a.npz',
      '--data=b.npz',
      '--seed',
      '2',
      '--lengths',
      '4096',
      '--only',
      'memory',
      '--dir',
      'runs/memory.claims',
    ]);
  });
});

const judgedBy = (id: string, evidence: readonly Evidence[]) =>
  judgeClaim(
    articleClaims.find((claim) => claim.id === id)!,
    evidence,
  );
const figuresOf = (claim: JudgedClaim, name: string) => claim.definitions.find((definition) => definition.name === name)!.figures;

describe('evidence', () => {
  test('sites are pooled as sums over sums, and told one by one', () => {
    const { baseline } = sampleMigration();
    const sites = baseline.lengths.at(-1)!.waste.map(({ overall }) => overall.wastedCompute.p95!);
    const value =
      sites.reduce((sum, { numerator }) => sum + numerator.value, 0) / sites.reduce((sum, { denominator }) => sum + denominator.value, 0);
    const [figure] = figuresOf(judgedBy('ineffective-weight', sampleEvidence()), 'wastedCompute[.95]');
    assert.ok(Math.abs(figure!.value - value) < 1e-12);
    // Two equal sites: the interval is narrower by the root of two.
    const narrower = (figure!.high! - figure!.value) / (sites[0]!.high! - sites[0]!.value);
    assert.ok(Math.abs(narrower - Math.SQRT1_2) < 1e-9, String(narrower));
    assert.match(figure!.note, /^site 0: \d+ %, site 1: \d+ %; single heads: 20 % to 90 %$/);
  });

  test('a candidate counts only where its quality is shown to hold, and within 2 %', () => {
    const at4096 = (changes: object) => {
      const record = sampleMigration({ settings: { ...sampleMigration().settings, compareAt: 4096, ...changes }, final: null });
      return judgedBy('memory', [{ kind: 'migration', path: 'm', record }]);
    };
    assert.equal(at4096({}).decidedBy, 'memory, sparse attention');
    assert.equal(at4096({ qualityMargin: 0.1 }).verdict, 'not-measured');
    const candidates = sampleMigration().candidates!.map((candidate) => ({
      ...candidate,
      quality: { ...candidate.quality!, judgement: { outcome: 'inconclusive' as const, reason: '', marginsLost: 0.5 } },
    }));
    const record = sampleMigration({ settings: { ...sampleMigration().settings, compareAt: 4096 }, final: null, candidates });
    assert.equal(judgedBy('memory', [{ kind: 'migration', path: 'm', record }]).verdict, 'not-measured');
  });

  test('12 → 3.2 GB holds by an exact kernel alone where only that one reaches it', () => {
    const memory = (estimate: number) =>
      sampleComparison({
        metric: 'peak-memory',
        unit: 'bytes',
        effect: { estimate, low: estimate - 0.01, high: estimate + 0.01, confidence: 0.965 },
      });
    const [exact, sparse] = sampleMigration().candidates!;
    const candidates = [
      { ...exact!, memory: memory(-0.73) },
      { ...sparse!, memory: memory(-0.5) },
    ];
    const record = sampleMigration({ settings: { ...sampleMigration().settings, compareAt: 4096 }, final: null, candidates });
    const claim = judgedBy('memory', [{ kind: 'migration', path: 'm', record }]);
    assert.deepEqual([claim.verdict, claim.decidedBy], ['holds-otherwise', 'memory, exact attention']);
    // The weakest value that rounds to the claim: 3.25 of 11.5 GB.
    assert.ok(Math.abs(claim.bound.value - 0.2826) < 1e-4);
  });

  test('a speed-up is the inverse of a ratio, its ends in order; the last comparison goes by its candidate’s name', () => {
    const sample = sampleMigration();
    const latency = sample.final!.latency.map((each) => ({ ...each, comparison: { ...each.comparison, name: 'final dense.fused' } }));
    const evidence = { kind: 'migration' as const, path: 'm', record: { ...sample, final: { ...sample.final!, latency } } };
    const [figure] = figuresOf(judgedBy('efficiency', [evidence]), 'model latency');
    assert.equal(figure!.of, 'whole model, dense.fused at 512 tokens');
    assert.ok(Math.abs(figure!.value - 1 / 0.6) < 1e-12);
    assert.ok(Math.abs(figure!.low! - 1 / 0.62) < 1e-12 && Math.abs(figure!.high! - 1 / 0.58) < 1e-12);
  });

  test('the most favorable technique decides on steps, with its own interval', () => {
    const claim = judgedBy('fewer-steps', sampleEvidence());
    assert.equal(claim.verdict, 'undecided');
    assert.deepEqual(
      claim.definitions[0]!.figures.map(({ value, low, high }) => [value, low, high]),
      [
        [0.24, 0.12, 0.34],
        [0.24, 0.12, 0.34],
      ],
    );
  });

  test('half precision is held against the same kernel in single, and nothing else', () => {
    const run = sampleRun({ variants: ['dense.fused', 'dense.naive'], lengths: [1024] });
    const halved = run.cells.map((cell) => ({
      ...cell,
      id: `${cell.id} f16`,
      shape: { ...cell.shape, dtype: 'f16' as const },
      latency: {
        ...cell.latency!,
        medianNs: cell.latency!.medianNs / 4,
        ciNs: { ...cell.latency!.ciNs, low: cell.latency!.ciNs.low / 4, high: cell.latency!.ciNs.high / 4 },
      },
    }));
    const claim = judgedBy('half-precision', [{ kind: 'run', path: 'r', record: { ...run, cells: [...run.cells, ...halved] } }]);
    assert.equal(claim.verdict, 'holds');
    assert.deepEqual(
      claim.definitions[0]!.figures.map(({ value }) => value.toFixed(6)),
      ['4.000000', '4.000000'],
    );
    assert.equal(judgedBy('half-precision', [{ kind: 'run', path: 'r', record: run }]).verdict, 'not-measured');
  });

  test('a trained gate saves the pairs that it drops, where the score holds', () => {
    const [topk] = sampleTuning().candidates;
    const gate = (weightedShare: number, outcome: 'pass' | 'regression') => ({
      ...topk!,
      candidate: `gated:sparsity=${1 - weightedShare}`,
      weightedShare,
      quality: { ...topk!.quality, outcome },
    });
    const candidates = [gate(0.71, 'pass'), gate(0.5, 'pass'), gate(0.2, 'regression'), { ...gate(0.1, 'pass'), candidate: 'topk:k=2' }];
    const claim = judgedBy('gate-compute', [{ kind: 'tuning', path: 't', record: sampleTuning({ candidates }) }]);
    assert.deepEqual(
      figuresOf(claim, 'pairs').map(({ value }) => value),
      [0.5, 1 - 0.71],
    );
    assert.deepEqual([claim.verdict, claim.decidedBy], ['holds', 'pairs']);
  });

  test('of kernels, only a gate that drops as much as the article’s counts: what it drops was chosen', () => {
    const judge = (sparsity: string) => {
      const run = sampleRun({ variants: ['dense.fused', 'gated.tiled', `gated.tiled:block=64,sparsity=${sparsity}`], lengths: [1024] });
      return judgedBy('gate-compute', [{ kind: 'run', path: 'r', record: run }]);
    };
    assert.equal(judge('0.4').verdict, 'not-measured');
    const [figure, ...others] = figuresOf(judge('0.41'), 'kernel latency');
    assert.equal(
      figure!.of,
      'gated.tiled:sparsity=0.41,block=64 on onnx-cpu at 1024 tokens, against dense.fused; quality is not considered',
    );
    assert.deepEqual(others, []);
  });

  test('BLEU is taken from a data module whose metric is called so, and from no other', () => {
    const by = (metric: string) => judgedBy('translation-quality', [{ kind: 'migration', path: 'm', record: sampleMigration({ metric }) }]);
    assert.deepEqual([by('BLEU of sentences').definitions[0]!.figures[0]!.value, by('BLEURT').verdict], [-0.005, 'not-measured']);
    assert.equal(by('BLEU').verdict, 'does-not-hold');
  });

  test('BLEU is taken from a testbed that translates, trained against trained, and from no other', () => {
    const scored = (bleu: readonly number[]) =>
      bleu.map((value, seed) => {
        const finished = sampleTuning().baseline[seed]!;
        const score = { value, low: value - 1, high: value + 1 };
        return { ...finished, test: { ...finished.test, translation: { bleu: score, chrf: score } } };
      });
    const [first, second] = sampleTuning().candidates;
    const record = sampleTuning({
      baseline: scored([90, 91, 92]),
      candidates: [
        { ...first!, finalists: scored([92, 93.1, 93.9]) },
        { ...second!, finalists: scored([40, 41, 42]) },
      ],
    });
    const claim = judgedBy('translation-quality', [{ kind: 'tuning', path: 't', record }]);
    assert.deepEqual([claim.verdict, claim.decidedBy], ['holds', 'BLEU of a testbed']);
    const [best, worst] = figuresOf(claim, 'BLEU of a testbed');
    assert.ok(Math.abs(best!.value - 2) < 1e-9 && Math.abs(worst!.value + 50) < 1e-9);
    // Student's t of 2 degrees of freedom, 4.303, times 0.1/√3.
    assert.ok(Math.abs(best!.high! - best!.value - (4.3027 * 0.1) / Math.sqrt(3)) < 1e-3, `${best!.high}`);
    assert.match(best!.of, /^tune-recall: topk:k=8, 3 seeds$/);
    assert.equal(judgedBy('translation-quality', [{ kind: 'tuning', path: 't', record: sampleTuning() }]).verdict, 'not-measured');
  });

  test('cycles of a gate follow from the clock and the cores', () => {
    const run = sampleRun({ variants: ['dense.tiled', 'gated.tiled'], lengths: [1024] });
    const [base, gated] = run.cells;
    const host = { availableCores: 2, volatile: { cpuMhz: 3000 } };
    const claim = judgedBy('one-cycle', [{ kind: 'run', path: 'r', record: { ...run, host } }]);
    const expected = ((gated!.latency!.medianNs - base!.latency!.medianNs) * 3 * 2) / gated!.work!.weightedPairs;
    assert.ok(Math.abs(claim.definitions[0]!.figures[0]!.value - expected) < 1e-9);
    assert.equal(judgedBy('one-cycle', [{ kind: 'run', path: 'r', record: { ...run, host: {} } }]).verdict, 'not-measured');
  });
});

describe('easy items', () => {
  const comparison = (estimate: number) =>
    sampleComparison({ effect: { estimate, low: estimate - 0.05, high: estimate + 0.05, confidence: 0.95 } });
  const level = (difficulty: number, whole: number) => {
    return { difficulty, items: 50, score: whole, whole, layers: difficulty, latency: comparison(-0.2) };
  };
  const gradedAs = (outcome: 'pass' | 'regression' | 'inconclusive', [easiest, hardest] = [1, 1], easy = -0.8) => ({
    quality: { outcome, reason: '', marginsLost: 0 },
    levels: [level(1, easiest), level(6, hardest)],
    timed: 4,
    easy: comparison(easy),
  });
  const plain = sampleTuning();
  const shallow = plain.baseline.map((each) => ({ ...each, test: { ...each.test, layers: 1 } }));
  const judgedIn = (changes: Parameters<typeof sampleTuning>[0]) =>
    judgedBy('easy-inputs', [{ kind: 'tuning', path: 't', record: sampleTuning(changes) }]);
  const [timing, layers] = ['easy against hard items', 'layers until the answer'];

  test('count by the exported model’s time', () => {
    const judgement = judgedIn({ baselineGraded: gradedAs('pass') });
    const [figure] = figuresOf(judgement, timing);
    assert.equal(figure!.of, 'tune-recall: dense, difficulty 1 against 6');
    assert.ok(Math.abs(figure!.value - 5) < 1e-9 && Math.abs(figure!.low! - 4) < 1e-9 && Math.abs(figure!.high! - 20 / 3) < 1e-9);
    assert.match(figure!.note, /2 layers, 4 items of each difficulty, one seed/);
    assert.equal(judgement.verdict, 'does-not-hold');
  });

  test('decide nothing where the hardest are not learned, or exits are not shown to keep their score', () => {
    const fast = -0.94;
    assert.equal(judgedIn({ baselineGraded: gradedAs('pass', [1, 1], -0.92) }).verdict, 'undecided');
    const sure = {
      ...gradedAs('pass', [1, 1], fast),
      easy: { ...comparison(fast), effect: { estimate: fast, low: fast, high: fast, confidence: 0.95 } },
    };
    assert.equal(judgedIn({ baselineGraded: sure }).verdict, 'holds');
    const others: ReadonlyArray<readonly [ReturnType<typeof gradedAs>, RegExp]> = [
      [{ ...sure, levels: [level(1, 1), level(6, 0.94)] }, /^the hardest items are not learned/],
      [{ ...sure, levels: [level(1, 0.2), level(6, 0.2)] }, /^the hardest items are not learned/],
      [{ ...sure, quality: gradedAs('regression').quality }, /^exits are not shown to keep the score/],
      [{ ...sure, quality: gradedAs('inconclusive').quality }, /^exits are not shown to keep the score/],
    ];
    for (const [baselineGraded, note] of others) {
      const judgement = judgedIn({ baselineGraded, baseline: shallow });
      assert.equal(judgement.verdict, 'undecided');
      const [figure] = figuresOf(judgement, timing);
      assert.deepEqual([figure!.low, figure!.high], [null, null]);
      assert.match(figure!.note, note);
    }
  });

  test('of a candidate that loses quality do not count, and figures that decide come before larger ones that do not', () => {
    const [adopted, rejected] = plain.candidates;
    assert.deepEqual([adopted!.quality.outcome, rejected!.quality.outcome], ['pass', 'regression']);
    const candidates = [
      { ...adopted!, graded: gradedAs('pass', [1, 0.5], -0.92) },
      { ...rejected!, graded: gradedAs('pass', [1, 1], -0.92) },
    ];
    const found = figuresOf(judgedIn({ baselineGraded: gradedAs('pass'), candidates }), timing);
    assert.deepEqual(
      found.map(({ of, standing }) => [of, standing]),
      [
        ['tune-recall: dense, difficulty 1 against 6', 'does-not-hold'],
        [`tune-recall: ${adopted!.candidate}, difficulty 1 against 6`, 'undecided'],
      ],
    );
  });

  test('by layers refute the claim alone, and not where exits lose score', () => {
    const refuted = judgedIn({ baseline: shallow });
    assert.deepEqual([refuted.verdict, refuted.decidedBy], ['does-not-hold', layers]);
    const deep = { ...plain.settings, model: { ...plain.settings.model, layers: 20 } };
    assert.equal(judgedIn({ baseline: shallow, settings: deep }).verdict, 'undecided');
    assert.equal(judgedIn({ baseline: shallow, settings: deep, baselineGraded: gradedAs('pass') }).verdict, 'does-not-hold');
    const losing = judgedIn({ baseline: shallow, settings: deep, baselineGraded: gradedAs('regression') });
    assert.deepEqual([losing.verdict, figuresOf(losing, layers)], ['undecided', []]);
  });
});

test('steps saved: an interval that leaves it open says how many seeds would decide', () => {
  const claim = articleClaims.find(({ id }) => id === 'fewer-steps')!;
  const { verdict, definitions } = judgeClaim(claim, [{ kind: 'tuning', path: 'runs/t', record: sampleTuning() }]);
  assert.equal(verdict, 'undecided');
  // Logarithms of 300/400, 340/420 and 280/390 have mean −.277 and deviation .061; ln(1 − .265) is .031 away.
  assert.equal(definitions[0]!.figures[0]!.note, 'to decide in 80 % of repetitions, at this mean and spread: 32 seeds');
  // Its interval is far below the claim.
  assert.deepEqual(
    definitions[1]!.figures.map(({ of, standing, note }) => [of, standing, note]),
    [['tune-recall: topk:k=8 with sparsify and distil, 3 seeds', 'does-not-hold', '']],
  );
});
