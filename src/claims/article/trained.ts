import { least } from '../claim.ts';
import type { Claim } from '../claim.ts';
import { accuracyOnImages, bleuGainedByTraining, easySpeedUp, layersSaved, stepsSaved, stepsSavedOverBaseline } from '../training.ts';
import { bleuGained } from '../whole-model.ts';

export const translationQuality: Claim = {
  id: 'translation-quality',
  words: 'Translation improves by 1.2 BLEU.',
  figure: '+1.2',
  unit: 'points',
  bound: least(1.15),
  definitions: [
    {
      name: 'BLEU difference',
      formula: 'new − base over the items of a data module whose metric is called BLEU, from 0 to 100',
      migration: bleuGained,
    },
    {
      name: 'BLEU of a testbed',
      formula: 'trained with the attention − trained with the baseline, BLEU of all greedily decoded test items; mean over seeds',
      tuning: bleuGainedByTraining,
    },
  ],
  missing: {
    reason: 'no translation was scored: this needs a testbed that translates, or a model with a data module whose metric is BLEU',
    measure: { suite: 'tune-translate' },
  },
};

export const imageAccuracy: Claim = {
  id: 'image-accuracy',
  words: 'Images are classified with 86.7 % accuracy by the cheaper attention.',
  figure: '86.7 %',
  unit: 'share',
  bound: least(0.8665),
  definitions: [
    {
      name: 'top-1 accuracy',
      formula: 'right answers / test items of an image task, mean over seeds; the article used other images',
      tuning: accuracyOnImages,
    },
  ],
  missing: { reason: 'no model was trained on images', measure: { suite: 'tune-vision' } },
};

const fewerStepsBound = least(0.265);

export const fewerSteps: Claim = {
  id: 'fewer-steps',
  words: 'Progressive sparsification and distillation reach the same quality in 27 % fewer steps.',
  figure: '27 %',
  unit: 'share',
  bound: fewerStepsBound,
  definitions: [
    {
      name: 'steps to the same score',
      formula: '1 − steps with / steps without, to the validation score that both reach; geometric mean over seeds',
      tuning: stepsSaved(fewerStepsBound.value),
    },
    {
      name: 'steps of dense attention',
      formula:
        '1 − steps with techniques / steps of the baseline, to the validation score that every training of both reached; geometric mean over seeds',
      tuning: stepsSavedOverBaseline(fewerStepsBound.value),
    },
  ],
  missing: { reason: 'no model was trained with a technique left out', measure: { suite: 'tune-mlm' } },
};

export const easyInputs: Claim = {
  id: 'easy-inputs',
  words: 'Depth that follows the input makes easy inputs 12 times as fast, and keeps the hard ones right.',
  figure: '12×',
  unit: 'factor',
  bound: least(11.5),
  definitions: [
    {
      name: 'easy against hard items',
      formula:
        'hardest / easiest items of a graded task, latency of the exported model with early exits; undecided unless the hardest items are learned (through all layers, the easiest level scores at least 90 % and the hardest at most 5 points less) and exits keep 99 % of their score',
      tuning: easySpeedUp,
    },
    {
      name: 'layers until the answer',
      formula:
        'layers of the model / mean layers until a scored position has its answer: an upper bound of the time saved, which can refute the claim alone; none where exits do not keep the score of graded items',
      tuning: layersSaved,
    },
  ],
  missing: {
    reason: 'no model with early exits was trained: this needs a tuning suite with exits: [0.9]',
    measure: { suite: 'tune-exits' },
  },
};
