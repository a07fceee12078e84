import type { Term } from './document.ts';

const definitions = {
  latency:
    'The median of samples of one process after its warm-up; a sample is a batch of calls of at least 5 ms. The interval lies between two order statistics (95 %): it covers the spread inside this process, not from process to process or day to day. For a verdict, compare in pairs: attnswap ab.',
  memory:
    'The resident peak of one call beyond what was resident before it, by the kernel’s high-water mark where there is one, in a process of its own whose allocators pool nothing.',
  waste:
    'W_p = 1 − Σ|S_i(p)| / pairs, where S_i(p) is the smallest set of keys that holds the share p of row i’s attention. «Scored» counts the pairs that the kernel computes, masked ones too; by head the pairs that the mask allows.',
  missed:
    'Missed mass: dense attention’s weight on keys that the variant’s row sees in no form. Pooled mass: its weight on keys seen only as part of a block’s mean.',
  scored:
    'Of the first seed’s exported model, on test items, at the positions whose answer is scored. Labelled waste: attention on keys other than the one that holds the answer. Wasted pairs: those beyond the smallest set of keys that holds 95 % of the attention. Unseen: the key that holds the answer is not selected; missed mass is dense attention’s over the same queries and keys. Shares are of all such rows, pairs or keys; intervals are bootstraps over items (95 %).',
  error:
    '‖out − ref‖ / ‖ref‖ against the variant’s own float64 reference, on sampled rows; its budget follows from the type’s rounding and the number of terms.',
  growth:
    'The power of n that a figure grows with: the Theil–Sen slope of the logarithms over all lengths measured, given from three lengths on. The range in parentheses is a 95 % interval from five lengths on, and the spread of all pairwise slopes below that.',
  effect:
    'A relative change, new over base less 1. Of blocks: each a fresh pair of processes, switched in random ABBA or BAAB order; a block’s figure is the 20 %-trimmed mean of its rounds’ log-ratios, and the interval is Student’s over blocks.',
  outcomes:
    'pass: the change is shown to be below the margin. regression: shown to be above half of it, and above what equal arms differ by on this host. improvement: its mirror image. inconclusive: neither was shown. Several comparisons share one chance of 5 % to call an unchanged one a regression.',
  floor:
    'Floor: the change that equal arms showed on this host (attnswap calibrate). Detectable: the smallest change that the blocks used would show in nine of ten runs.',
  front: 'On the front: no other candidate is at least as good in quality, latency and memory, and better in one.',
  quality:
    'Scores are paired item by item with the original’s; quality holds where the bound of the mean difference stays above the margin. Without a task, outputs are compared with the original’s (drift).',
  adopt:
    'adopt: quality is shown to hold, and latency or peak memory is shown to be better, neither worse. tune first: there is a gain, but quality is not shown to hold or something is worse. reject: no gain is shown, or quality is lost beyond tuning.',
  ratio:
    'A ratio of two medians; its interval joins both medians’ intervals in quadrature, in logarithms. It covers the spread inside the two processes alone, and is no verdict.',
  seeds:
    'A difference is of mean test scores, tuned less baseline, seed by seed. A seed draws first weights, training items and their order; the interval is Student’s over seeds (95 %), p is two-sided. Of three seeds it is wide.',
  swapped:
    'Swapped: the candidate under the baseline’s trained weights, nothing trained. Control: the winner with as many keys, chosen at random instead of by score: what it reaches, choosing does not explain.',
  halving:
    'Trials stop at rungs, and the best of each go on (asynchronous successive halving, Li et al. 2020), by the score on validation items; test items are seen once, at the end.',
} as const;

const names: Readonly<Record<keyof typeof definitions, string>> = {
  latency: 'latency',
  memory: 'peak memory',
  waste: 'waste',
  missed: 'missed and pooled mass',
  scored: 'waste on scored positions',
  error: 'error',
  growth: 'growth',
  effect: 'change',
  outcomes: 'outcomes',
  floor: 'floor and detectable change',
  front: 'front',
  quality: 'quality',
  adopt: 'verdicts',
  ratio: 'ratio',
  seeds: 'differences over seeds',
  swapped: 'swapped, and the control',
  halving: 'search',
};

export type Method = keyof typeof definitions;

/** What the words of a report mean, by name. */
export function methodTerms(methods: readonly Method[]): Term[] {
  return methods.map((method) => ({ term: names[method], text: definitions[method] }));
}
