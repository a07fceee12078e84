import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleTuning, withSampleGroups } from '../report/fixtures/sample-tuning.ts';
import { taskOf } from '../training/tasks/index.ts';
import type { AttentionWaste } from '../tuning/attention-waste.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import { tuningText } from './tuning-text.ts';

/** The sample as text, of a task. */
function textOf(task: string, change: (report: TuningReport) => TuningReport = (report) => report): string {
  const { settings, ...report } = sampleTuning();
  // Nothing of the sample is null that a report holds as a number.
  const context = {
    tuning: { ...settings, candidates: [...settings.candidates] },
    task: taskOf(task),
    folder: 'runs/x',
    trainer: 'torch-cpu',
    warnings: ['busy '.repeat(40).trim()],
  };
  return tuningText(change(report as unknown as TuningReport), context);
}

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
const rowOf = (text: string, pattern: RegExp) => pattern.exec(text)?.[0].replaceAll(/ +/g, ' ');

test('the text of a tuning fits 100 columns, with a figure a seed and the best head’s waste', () => {
  const text = textOf('recall:pairs=6,length=64');
  assert.ok(longest(text) <= 100, `${longest(text)} columns`);
  assert.match(rowOf(text, /^topk:k=8 +23.*$/m)!, /^topk:k=8 23 % 31\.0 28\.0 35\.0 9\d\.\d 9\d\.\d 9\d\.\d \d\d\.\d$/);
  assert.match(text, /first seed, 256 of 256 scored\s+positions\s+in\s+64\s+of\s+1024\s+test\s+items/);
  assert.equal(rowOf(text, /^dense +1\.1.*$/m), 'dense 1.1 5.0 [2.0, 8.0] 60.5 50.0 – –');
  assert.equal(rowOf(text, /^topk:k=8 +1\.1.*$/m), 'topk:k=8 1.1 2.0 [0.0, 5.0] 59.8 30.0 2.0 2.0');
});

test('what is not to be adopted reads as what to do', () => {
  const text = textOf('recall:pairs=6,length=64', (report) => ({
    ...report,
    candidates: report.candidates.map((found) => ({ ...found, decision: { ...found.decision, verdict: 'reject' as const } })),
  }));
  assert.match(text, /^topk:k=8 .* keep as is$/m);
  assert.match(text, /^topk:k=8: keep the model as it is$/m);
  assert.doesNotMatch(text, /reject/i);
});

test('a long attention with a long choice fits 100 columns, what it gained and what it saved', () => {
  const text = textOf('recall:pairs=6,length=64', (report) => ({
    ...report,
    candidates: report.candidates.map((found) => ({
      ...found,
      candidate: 'block-topk:block=16,blocks=4',
      ablations: found.ablations.map((ablation) => ({ ...ablation, without: 'position rotary instead of sinusoidal' })),
    })),
  }));
  assert.match(text, /^block-topk:block=16,blocks=4 +position rotary/m);
  assert.ok(longest(text) <= 100, `${longest(text)} columns`);
});

test('bits: fewer are a gain, and the interval runs from the better end', () => {
  const text = textOf('prose:length=64');
  assert.ok(longest(text) <= 100, `${longest(text)} columns`);
  assert.equal(rowOf(text, /^topk:k=8 +[+−].*$/m), 'topk:k=8 +0.01 −0.02 … +0.04 .0200 98 %');
});

test('waste without labels says so; of diverged trainings there is none', () => {
  const unlabelled = (waste: AttentionWaste | null): AttentionWaste | null =>
    waste && { ...waste, all: { ...waste.all, labelledWaste: null } };
  const plain = textOf('prose:length=64', (report) => ({
    ...report,
    baselineWaste: unlabelled(report.baselineWaste),
    candidates: report.candidates.map((found, index) => ({ ...found, waste: index === 0 ? unlabelled(found.waste) : null })),
  }));
  assert.match(plain, /Waste, %; this task does not define which keys hold an answer/);
  assert.equal(rowOf(plain, /^topk:k=8 +30.*$/m), 'topk:k=8 30.0 [27.0, 33.0] 1.0 [0.0, 4.0]');
  const none = textOf('recall:pairs=6,length=64', (report) => ({
    ...report,
    baselineWaste: null,
    candidates: report.candidates.map((found) => ({ ...found, waste: null })),
  }));
  assert.doesNotMatch(none, /Waste/);
});

test('of a translation BLEU and chrF stand beside the scores, and waste within sequences beside that across', () => {
  const scored = (trials: TuningReport['baseline'], bleu: number) =>
    trials.map((trial, seed) => {
      const score = (value: number) => ({ value: value + seed, low: value - 2, high: value + 3 });
      return { ...trial, test: { ...trial.test, translation: { bleu: score(bleu), chrf: score(bleu + 1) } } };
    });
  const text = textOf('translate', (report) => ({
    ...report,
    baseline: scored(report.baseline, 90),
    baselineWaste: report.baselineWaste && {
      ...report.baselineWaste,
      within: { all: { ...report.baselineWaste.all, labelledWaste: null }, heads: [] },
    },
    candidates: report.candidates.map((found, index) => ({ ...found, finalists: scored(found.finalists, index === 0 ? 91.5 : 20) })),
  }));
  assert.ok(longest(text) <= 100, `${longest(text)} columns`);
  assert.match(text, /^2 layers each in encoder and decoder, width 64, 2 heads, 36 and 32 tokens/m);
  assert.equal(rowOf(text, /^dense +90\.0.*$/m), 'dense 90.0 91.0 92.0 88.0 … 93.0 91.0 92.0 93.0');
  assert.equal(rowOf(text, /^topk:k=8 +\+1\.5.*$/m), 'topk:k=8 +1.5 +1.5 … +1.5 < .0001');
  assert.match(text, /^Cross-attention\. Attention on keys that do not hold the answer/m);
  const within = text.slice(text.indexOf('Attention within encoder and decoder'));
  assert.match(rowOf(within, /^dense .*$/m)!, /^dense \d+\.\d \[.*\] /);
  assert.doesNotMatch(textOf('recall:pairs=6,length=64'), /BLEU|Attention within/);
});

test('what each group of keys gets has a table of its own, with names as they can be printed', () => {
  const text = textOf('fuse', (report) => ({ ...report, baselineWaste: withSampleGroups(report.baselineWaste!) }));
  assert.ok(longest(text) <= 100, `${longest(text)} columns`);
  const table = text.slice(text.indexOf('By keys, %, of the same positions'));
  assert.equal(rowOf(table, /^dense +image.*$/m), 'dense image 25.0 [22.0, 28.0] 75.0 50.0 [47.0, 53.0]');
  assert.match(table, /^dense +<b>.*text +75\.0/m);
  assert.doesNotMatch(text, /\u001b/);
  assert.doesNotMatch(textOf('recall'), /By keys/);
});

test('steps to a score that all trainings reached stand beside the baseline’s', () => {
  const text = textOf('recall:pairs=6,length=64');
  assert.equal(rowOf(text, /^topk:k=8 +96 .*$/m), 'topk:k=8 96 % 6 7 −20 % −39 % … −3.5 %');
});
