import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { parseTuningRecord } from '../tuning/record.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';
import { untrustedTexts } from '../verdict/fixtures/sample-verdict.ts';
import type { Report, Section, Table } from './document.ts';
import { sampleTuning, withSampleGroups } from './fixtures/sample-tuning.ts';
import { reportPage } from './html/page.ts';
import { readReport } from './read-report.ts';
import { reportMarkdown } from './report-markdown.ts';
import { trialsCsv } from './trials-csv.ts';
import { tuningReport } from './tuning-report.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with files of JSON. */
function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-tuning-'));
  folders.push(folder);
  for (const [name, value] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(value));
  return folder;
}

const steps = (settings: object) => ({
  schema: 'attnswap.migration/1',
  subject: { files: {}, settings, host: 'x' },
  startedAt: '2026-01-01T00:00:00.000Z',
  steps: { one: 1 },
});
const tuningSteps = steps({ name: 'tune-recall', task: 'recall', trainer: 'torch-cpu' });

/** As it comes back from its file: infinities and NaN are null. */
const stored = (record: unknown) => parseTuningRecord(JSON.parse(JSON.stringify(record)), 'record.json');
const sectionOf = ({ sections }: Report, id: string): Section => sections.find((section) => section.id === id)!;
const tableIn = (section: Section): Table => {
  const part = section.parts.find(({ kind }) => kind === 'table') ?? section.parts.find(({ kind }) => kind === 'chart')!;
  return part.kind === 'chart' ? part.table : (part as Table);
};
const textsOf = (table: Table) => table.rows.map((row) => row.map(({ text }) => text));
const chartsOf = ({ sections }: Report) => sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart'));
const withCandidates = (change: (found: StoredTuningRecord['candidates'][number], index: number) => object) => {
  const record = sampleTuning();
  return { ...record, candidates: record.candidates.map((found, index) => ({ ...found, ...change(found, index) })) };
};
/** A record that JSON would change: its numbers may be infinite. */
const oneSeed = (record: StoredTuningRecord) => {
  const difference = { mean: -0.01, low: -Infinity, high: Infinity, standardDeviation: Infinity, count: 1, p: 1 };
  return {
    ...record,
    baseline: record.baseline.slice(0, 1),
    candidates: record.candidates.map((found) => ({ ...found, difference, finalists: found.finalists.slice(0, 1), ablations: [] })),
  };
};

/** Every rendering, with its charts drawn; none may hold a figure that is none, nor a mark without a place. */
async function rendered(report: Report): Promise<string> {
  const texts = reportMarkdown(report) + (await reportPage(report)).replace(/<script>[\s\S]*<\/script>/, '');
  assert.doesNotMatch(texts, /NaN|Infinity|undefined/);
  return texts;
}

test('the answer names the attention that may be adopted, with its score beside the baseline’s', () => {
  const report = tuningReport(stored(sampleTuning()));
  assert.equal(report.verdict, 'Adopt topk:k=8');
  assert.match(report.answer, /^Trained with it, topk:k=8 \(9\d\.\d %\) can replace dense \(9\d\.\d %\)/);
  assert.deepEqual([report.kind, report.standing, report.alerts.length], ['tuning', 'good', 1]);
  const ids = [
    'verdicts',
    'scores',
    'curves',
    'search',
    'ablations',
    'attention-waste',
    'trade-off',
    'changes',
    'blocks',
    'host',
    'methods',
    'reproduce',
  ];
  assert.deepEqual(
    ids.filter((id) => sectionOf(report, id) === undefined),
    [],
  );
});

test('of a translation the page has BLEU and chrF, and waste within sequences beside that across', async () => {
  const record = sampleTuning();
  const scored = (trials: typeof record.baseline, bleu: number | null) =>
    trials.map((trial) => {
      const score = { value: bleu, low: null, high: null };
      return { ...trial, test: { ...trial.test, translation: { bleu: score, chrf: score } } };
    });
  const { all, heads } = record.baselineWaste!;
  const unlabelled = { ...all, labelledWaste: null };
  const within = { all: unlabelled, heads: heads.map((head) => ({ ...head, figures: unlabelled, kind: 'encoder' as const })) };
  const report = tuningReport(
    stored({
      ...record,
      baseline: scored(record.baseline, 90),
      baselineWaste: { ...record.baselineWaste!, within },
      candidates: record.candidates.map((found, index) => ({ ...found, finalists: scored(found.finalists, index === 0 ? 92.5 : null) })),
    }),
  );
  const translations = sectionOf(report, 'scores').parts.find((part) => part.kind === 'table' && part.title?.startsWith('BLEU')) as Table;
  assert.deepEqual(textsOf(translations), [
    ['dense', '90.0, 90.0, 90.0', '–', '90.0, 90.0, 90.0', '–'],
    ['topk:k=8', '92.5, 92.5, 92.5', '+2.5 (+2.5 … +2.5)', '92.5, 92.5, 92.5', '+2.5 (+2.5 … +2.5)'],
    ['window:w=16', 'none, none, none', '–', 'none, none, none', '–'],
  ]);
  const waste = sectionOf(report, 'attention-waste');
  assert.match(waste.lead!, /All of this is cross-attention/);
  const rows = textsOf(waste.parts.find((part) => part.kind === 'table' && part.title?.startsWith('Waste within')) as Table);
  assert.equal(rows.length, heads.length);
  assert.deepEqual(rows[0]!.slice(0, 4), ['dense', 'encoder', '0', '0']);
  assert.doesNotMatch(await rendered(report), /NaN|undefined/);
});

test('what each group of keys gets is told over all heads and by head, with its name escaped', async () => {
  const record = sampleTuning();
  const report = tuningReport(stored({ ...record, baselineWaste: withSampleGroups(record.baselineWaste!) }));
  const { parts } = sectionOf(report, 'attention-waste');
  const [all, byHead] = parts.filter((part) => part.kind === 'table' && part.title.startsWith('Attention by keys')) as [Table, Table];
  assert.deepEqual(textsOf(all)[0]!.slice(0, 4), ['dense', 'image (0–48)', '25.0 % (22.0 … 28.0)', '75.0 % (72.0 … 78.0)']);
  assert.equal(all.rows.length, 2);
  assert.deepEqual([byHead.rows.length, textsOf(byHead)[3]!.slice(0, 3)], [8, ['dense', '0', '1']]);
  const page = await rendered(report);
  assert.match(page, /&lt;b&gt;/);
  assert.doesNotMatch(page, /<b>|\u001b/);
});

test('waste tells the best head of each attention and what it does not see; without labels it says so', async () => {
  const section = sectionOf(tuningReport(stored(sampleTuning())), 'attention-waste');
  assert.match(section.lead!, /at 256 of 256 scored positions of 64 of 1024 test items/);
  const [base, topk, window] = textsOf(tableIn(section)) as string[][];
  assert.deepEqual(base!.slice(0, 4), ['dense', 'layer 1, head 1', '5.0 % (2.0 … 8.0)', '–']);
  assert.deepEqual(topk!.slice(0, 4), ['topk:k=8', 'layer 1, head 1', '2.0 % (0.0 … 5.0)', '2.0 % (0.0 … 5.0)']);
  assert.deepEqual(window!.slice(0, 2), ['window:w=16', 'layer 1, head 0']);

  const record = sampleTuning();
  const figures = { ...record.baselineWaste!.all, labelledWaste: null, missedRelevantKeys: null, missedRelevantMass: null };
  const unlabelled = { ...record.baselineWaste!, all: figures, heads: record.baselineWaste!.heads.map((head) => ({ ...head, figures })) };
  const plain = tuningReport(stored({ ...withCandidates(() => ({ waste: null })), baselineWaste: unlabelled }));
  const own = sectionOf(plain, 'attention-waste');
  assert.match(own.lead!, /The task does not define which keys hold the answers/);
  assert.deepEqual(textsOf(tableIn(own)), [['dense', '50.0 % (47.0 … 53.0)', '–']]);
  await rendered(plain);
  // Of a tuning before there was this figure, or of nothing but trainings that diverged.
  const none = tuningReport(stored({ ...withCandidates(() => ({ waste: undefined })), baselineWaste: undefined }));
  assert.equal(sectionOf(none, 'attention-waste'), undefined);
});

test('where none may be adopted, the nearest to it is told with the reason', () => {
  const rejected = withCandidates(({ decision }) => ({
    decision: { ...decision, verdict: 'reject', reasons: ['No gain in latency or memory is shown.'] },
  }));
  const report = tuningReport(stored({ ...rejected, candidates: rejected.candidates.toReversed() }));
  assert.equal(
    report.answer,
    'None of 2 variants can replace dense; topk:k=8 comes closest. Keep the model as it is: No gain in latency or memory is shown.',
  );
  assert.equal(report.standing, 'bad');
});

test('scores are shown by seed, with the control, and the difference with its interval and p', () => {
  const [base, topk, window] = textsOf(tableIn(sectionOf(tuningReport(stored(sampleTuning())), 'scores'))) as string[][];
  assert.deepEqual([base![0], base![1], base![2], base![6]], ['dense', '100 %', '–', '–']);
  assert.deepEqual([topk![1], topk![2], topk![6], topk![8]], ['23 %', '31.0 %, 28.0 %, 35.0 %', '−1.0 points', '.0200']);
  assert.match(topk![5]!, /^\d+\.\d %$/);
  assert.equal(window![5], '–');
  assert.deepEqual([topk![9], window![9]], ['98 %', '–'], 'what was got back of what the swap lost');
});

test('layers up to an answer have a column where an attention exits early, and only there', async () => {
  const deep = withCandidates(({ finalists }, index) => ({
    finalists: index > 0 ? finalists : finalists.map((each) => ({ ...each, test: { ...each.test, layers: 1.25 } })),
  }));
  const report = tuningReport(stored(deep));
  const table = tableIn(sectionOf(report, 'scores'));
  assert.equal(table.columns.at(-1)!.title, 'layers');
  assert.deepEqual(
    textsOf(table).map((row) => row.at(-1)),
    ['2', '1.25', '2'],
  );
  assert.match(sectionOf(report, 'scores').lead!, /Layers: the mean number of layers until an answer/);
  await rendered(report);
  const plain = sectionOf(tuningReport(stored(sampleTuning())), 'scores');
  assert.ok(tableIn(plain).columns.every(({ title }) => title !== 'layers'));
  assert.doesNotMatch(plain.lead!, /Layers/);
});

test('where items are graded, depth and speed are shown by difficulty, with whether exits keep the score', async () => {
  const record = sampleTuning();
  assert.equal(sectionOf(tuningReport(stored(record)), 'graded'), undefined);
  const latency = (estimate: number) => {
    const { latency: sample } = record.candidates[0]!;
    return { ...sample, effect: { ...sample.effect!, estimate, low: estimate - 0.1, high: estimate + 0.1 } };
  };
  const level = { items: 40, score: 0.99, whole: 1, layers: 1.5 };
  const graded = {
    quality: { outcome: 'pass' as const, reason: 'not worse', marginsLost: 0.2 },
    levels: [
      { difficulty: 1, ...level, latency: latency(-0.5) },
      { difficulty: 6, ...level, latency: { ...latency(0.125), outcome: 'inconclusive' as const } },
    ],
    timed: 4,
    easy: latency(-0.5),
  };
  const report = tuningReport(stored({ ...record, baselineGraded: graded }));
  const section = sectionOf(report, 'graded');
  assert.match(section.lead!, /dense: Time of the hardest items ÷ time of the easiest, with exits: 2 \(1\.67 … 2\.5\)\. .*: not worse\./);
  assert.match(
    section.lead!,
    /Exits save time while fewer than 80 % of the items are of the hardest difficulty and the others of the easiest\./,
  );
  assert.match(section.lead!, /At difficulty 6, a slowdown of 10 % or more is not ruled out\./);
  assert.deepEqual(textsOf(tableIn(section)), [
    ['dense', '1', '40', '100.0 %', '99.0 %', '1.5', '2 (1.67 … 2.5)'],
    ['dense', '6', '40', '100.0 %', '99.0 %', '1.5', '0.889 (0.816 … 0.976)'],
  ]);
  await rendered(report);
});

test('bits are shown as bits, and what is better is said', async () => {
  const record = sampleTuning();
  const negative = ({ test: { mean, items }, ...rest }: StoredTuningRecord['baseline'][number]) => ({
    ...rest,
    test: { mean: -2 * mean!, items },
  });
  const report = tuningReport(
    stored({ ...record, settings: { ...record.settings, task: 'prose' }, baseline: record.baseline.map(negative) }),
  );
  assert.match(sectionOf(report, 'scores').lead!, /bits per character .*fewer are better/);
  const table = textsOf(tableIn(sectionOf(report, 'scores')));
  assert.match(table[0]![3]!, /^1\.9\d, /);
  assert.match(table[1]![6]!, /bits more$/);
  await rendered(report);
});

test('the search shows what each trial reached, and who won', () => {
  const rows = textsOf(tableIn(sectionOf(tuningReport(stored(sampleTuning())), 'search')));
  assert.equal(rows.length, 4);
  assert.deepEqual(rows[0]!.slice(2), ['10.0 %', '', '', '']);
  assert.deepEqual(rows[1]!.slice(2), ['40.0 %', '70.0 %', '98.0 %', 'won']);
});

test('with exits, the search shows the layers at each rung, and how depth decides', async () => {
  const deep = withCandidates(({ search }) => ({
    search: {
      ...search,
      trials: search.trials.map((each, index) =>
        index === 0 ? each : { ...each, trial: { ...each.trial, exits: 0.9 }, layers: [2, null, 1.25] },
      ),
    },
  }));
  const section = sectionOf(tuningReport(stored(deep)), 'search');
  assert.match(
    section.lead!,
    /The best trial of the last rung, or of those within 2\.0 % of its score the one that answers after the fewest layers, is/,
  );
  assert.deepEqual(textsOf(tableIn(section))[1]!.slice(2, 5), ['40.0 %, 2 layers', '70.0 %', '98.0 %, 1.25 layers']);
  assert.equal(textsOf(tableIn(section))[0]![2], '10.0 %');
  const plain = sectionOf(tuningReport(stored(sampleTuning())), 'search');
  assert.match(plain.lead!, /The best trial of the last rung is then trained/);
  const rows = parse(trialsCsv(stored(deep)), { columns: true }) as Array<Record<string, string>>;
  assert.deepEqual([rows[1]!['layers'], rows[1]!['rungLayers'], rows[0]!['rungLayers']], ['1.25', '2  1.25', '']);
  await rendered(tuningReport(stored(deep)));
});

test('one seed has no interval: its differences are told, and not drawn', async () => {
  const report = tuningReport(stored(oneSeed(sampleTuning())));
  assert.ok(!chartsOf(report).some(({ id }) => id === 'differences'));
  assert.equal(textsOf(tableIn(sectionOf(report, 'scores')))[1]![7], 'one seed only');
  assert.match(report.alerts.join(' '), /1 seed: too few to estimate how much training runs vary/);
  await rendered(report);
});

test('what a choice saved in steps is shown with its interval', () => {
  const [sparsify] = textsOf(tableIn(sectionOf(tuningReport(stored(sampleTuning())), 'ablations')));
  assert.deepEqual(sparsify!.slice(-2), ['24 %', '12 % … 34 %']);
});

test('without an ablation there is no section of them', () => {
  const report = tuningReport(stored(withCandidates(() => ({ ablations: [] }))));
  assert.equal(sectionOf(report, 'ablations'), undefined);
});

test('a training that diverged has no score, and is told', async () => {
  const broken = withCandidates(({ finalists, control }, index) => {
    if (index > 0) return {};
    const epochs = finalists[0]!.epochs.map((epoch, at) =>
      at < 2 ? epoch : { ...epoch, losses: [Number.NaN], validation: -Number.MAX_VALUE },
    );
    const ended = {
      ...finalists[0]!,
      epochs: [...epochs.slice(0, 2), { ...epochs[2]!, diverged: true }],
      test: { mean: Number.NaN, items: [] },
    };
    const difference = { mean: Number.NaN, low: Number.NaN, high: Number.NaN, standardDeviation: Number.NaN, count: 3, p: Number.NaN };
    return { finalists: [ended, ...finalists.slice(1)], control: { ...control!, epochs: [] }, difference };
  });
  const report = tuningReport(stored(broken));
  assert.match(report.alerts.join(' '), /1 training run diverged/);
  assert.match(textsOf(tableIn(sectionOf(report, 'scores')))[1]!.join(' '), /none, 9\d\.\d %/);
  assert.match(chartsOf(report).find(({ id }) => id === 'score-lost')?.summary ?? '', /a figure is missing: topk:k=8/);
  await rendered(report);
});

test('records of less than all are shown as far as they go', async () => {
  const { front: _, ...old } = withCandidates(({ ablations: _ablations, ...found }) => ({ ...found, ablations: undefined }));
  const records = [
    old,
    sampleTuning({ candidates: [] }),
    sampleTuning({ baseline: [] }),
    sampleTuning({ host: null }),
    withCandidates(() => ({ finalists: [], swapped: [], control: null })),
    withCandidates(({ search }) => ({ search: { ...search, rungs: [], trials: [] } })),
    withCandidates(({ latency }) => ({ latency: { ...latency, effect: null, base: null, new: null, blocks: [], outcome: 'error' } })),
    withCandidates(({ quality }) => ({ quality: { ...quality, marginsLost: Infinity } })),
    { ...sampleTuning(), settings: { ...sampleTuning().settings, task: 'unheard:of=1' } },
  ];
  for (const record of records) await rendered(tuningReport(stored(record)));
});

test('of a training of very many epochs no more is drawn than can be told apart', async () => {
  const long = ({ epochs, ...rest }: StoredTuningRecord['baseline'][number]) => ({
    ...rest,
    epochs: Array.from({ length: 9999 }, (_, index) => epochs[index % epochs.length]!),
  });
  const report = tuningReport(stored(sampleTuning({ baseline: sampleTuning().baseline.map(long) })));
  assert.ok((await rendered(report)).length < 1e6);
});

for (const [kind, text] of Object.entries(untrustedTexts)) {
  test(`names of ${kind} are shown, and do nothing`, async () => {
    const record = withCandidates(({ decision, quality, search, ablations }) => ({
      candidate: text,
      decision: { ...decision, candidate: text, reasons: [text] },
      quality: { ...quality, reason: text },
      search: { ...search, candidate: text },
      ablations: ablations.map((ablation) => ({ ...ablation, without: text })),
      model: text,
    }));
    const { settings } = record;
    const hostile = {
      ...record,
      settings: { ...settings, name: text, task: text, baseline: text, trainer: text },
      warnings: [text],
      front: [text],
    };
    const page = await reportPage(tuningReport(stored(hostile)));
    assert.doesNotMatch(page, /<img|<script>alert|<h1>[^<]*<h1>|\u202e|\u001b/);
    assert.equal(page.match(/<script/g)?.length, 1);
  });
}

test('a record that is none is refused, and the field is named', () => {
  const record = sampleTuning();
  const [first] = record.candidates;
  const refused: ReadonlyArray<[value: unknown, says: RegExp]> = [
    [null, /record\.json: document/],
    [{ ...record, schema: 'attnswap.tuning/2' }, /: schema: /],
    [{ ...record, candidates: undefined }, /: candidates: /],
    [{ ...record, candidates: [{ ...first!, latency: undefined }] }, /: candidates\.0\.latency: /],
    [{ ...record, candidates: [{ ...first!, candidate: 'x'.repeat(1e6) }] }, /: candidates\.0\.candidate: /],
    [{ ...record, candidates: [{ ...first!, weightedShare: 1e308 }] }, /: candidates\.0\.weightedShare: /],
    [{ ...record, warnings: Array.from({ length: 20_000 }, () => '') }, /: warnings: /],
    [{ ...record, baseline: [{ ...record.baseline[0]!, test: { mean: 'good', items: [] } }] }, /: baseline\.0\.test\.mean: /],
    [{ ...record, startedAt: 'yesterday' }, /: startedAt: /],
  ];
  for (const [value, says] of refused)
    assert.throws(() => parseTuningRecord(value, 'record.json'), { code: 'INVALID_MIGRATION', message: says });
});

test('a tuning is told from its folder, or either of its files', async () => {
  const folder = folderWith({ 'migration.json': tuningSteps, 'record.json': sampleTuning() });
  for (const path of [folder, join(folder, 'record.json'), join(folder, 'migration.json')]) {
    assert.equal((await readReport(path)).report.kind, 'tuning');
  }
});

test('a tuning that has not ended says so, and how it goes on', async () => {
  const folder = folderWith({ 'migration.json': tuningSteps });
  const expected = { code: 'INVALID_MIGRATION', message: /tuning of "tune-recall" is not finished/, hint: /continue/ };
  await assert.rejects(readReport(folder), expected);
  const migration = folderWith({ 'migration.json': steps({ backend: 'onnx-cpu' }) });
  assert.equal((await readReport(migration)).report.kind, 'migration');
});

test('the CSV has one row a trial, those of the search first', async () => {
  const folder = folderWith({ 'record.json': sampleTuning() });
  const rows = parse((await readReport(join(folder, 'record.json'))).csv(), { columns: true }) as Array<Record<string, string>>;
  const roles = Map.groupBy(rows, ({ role }) => role);
  assert.deepEqual(
    [...roles].map(([role, { length }]) => [role, length]),
    [
      ['search', 4],
      ['baseline', 3],
      ['tuned', 6],
      ['control', 1],
      ['ablation', 6],
    ],
  );
  assert.equal(rows[1]!['rungScores'], '0.4 0.7 0.98');
  assert.deepEqual([rows[4]!['attention'], rows[4]!['epochs'], rows[4]!['trainingNs']], ['dense', '8', '16000000000']);
  assert.equal(roles.get('control')![0]!['shuffled'], 'true');
  assert.equal(roles.get('ablation')![0]!['without'], 'sparsify left out');
});
