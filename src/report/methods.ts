import type { Term } from './document.ts';

const definitions = {
  latency:
    'The median over the samples of one process, after warm-up. A sample is a batch of calls that takes at least 5 ms. The 95 % interval is taken between order statistics; it covers the spread within this process, not between processes or days. To decide whether one kernel is slower than another, use a paired comparison (attnswap ab), whose figures are medians over pairs of processes.',
  memory:
    'The peak resident memory of one call, less what was resident before it. It is read from the operating system’s high-water mark where there is one, in a separate process whose allocators do not pool memory.',
  waste:
    'W_p = 1 − Σ|S_i(p)| / pairs, where S_i(p) is the smallest set of keys that holds a share p of the attention in row i. For kernels, pairs are the ones the kernel computes, including masked pairs; for heads, the ones the mask allows.',
  missed:
    'Missed mass: the share of dense attention’s weight on keys that the variant does not see at all. Pooled mass: the share on keys it sees only as part of a block mean.',
  scored:
    'Measured on the exported model of the first seed, on test items, at the positions that are scored. Labeled waste: attention on keys that do not hold the answer. Wasted pairs: pairs beyond the smallest set of keys that holds 95 % of the attention. Unseen: none of the keys that hold the answer was selected. Missed mass: dense attention’s weight, over the same queries and keys, on keys that were not selected. Intervals are 95 % bootstrap intervals over items.',
  error:
    '‖out − ref‖ / ‖ref‖ against the variant’s float64 reference, on sampled rows. The budget follows from the rounding of the data type and the number of terms summed.',
  growth:
    'The power of n that a figure grows with: the Theil–Sen slope of the logarithms over all lengths measured, given from three lengths on. The range in parentheses is a 95 % interval from five lengths on, and the spread of all pairwise slopes below that.',
  effect:
    'The relative change, new / base − 1, measured in blocks. Each block is a fresh pair of processes that alternate in random ABBA or BAAB order. A block contributes the difference between the arms’ median log-durations, after each round’s pace, the mean of the two arms’ medians in it, is subtracted (of CPU time, the 15 % quantiles instead of the medians); the interval is a Student t interval over blocks. On Linux, blocks of wall times do not count if other work kept a quarter of the processors busy. New figures shown beside a base are the base times this change.',
  outcomes:
    'pass: the change is shown to be smaller than the margin. regression: the change for the worse is shown to exceed half the margin, and the noise floor of this host. improvement: the same for a change for the better. inconclusive: none of these could be shown. The chance that any unchanged comparison of a report is called a regression is 5 % in total.',
  floor:
    'Floor: the change measured between two identical arms on this host (attnswap calibrate). Detectable: the smallest change that this number of blocks would detect in nine runs out of ten.',
  front: 'On the Pareto front: no other candidate is at least as good in quality, latency and memory, and better in one of them.',
  quality:
    'Scores are paired item by item with the original model’s. Quality holds if the lower bound of the mean difference stays above the allowed loss. Without a task, outputs are compared with the original’s (drift).',
  stopped:
    '“14 of 156 items”: items are judged in random order, and judging stops once the verdict is settled. The interval is one that holds at any stop. It rules out a mean once a bet against that mean, at fair odds, has multiplied its stake by 200 (drift: 400). If the mean is the true one, the chance of that is at most 0.5 % (0.25 %), however often one looks (Waudby-Smith and Ramdas 2024). Candidates that were judged on different items are ranked by the most that each may have lost.',
  adopt:
    'adopt: quality is shown to hold, and latency or peak memory is shown to improve while neither gets worse. tune first: there is a gain, but quality is not shown to hold, or something else gets worse. keep the model as it is: no gain is shown, or too much quality is lost to recover by tuning.',
  audit:
    'Every setting is measured once per round, in a new random order and in its own processes. Each round gives a Theil–Sen slope between logarithms; the figure is the mean slope over rounds with a Student t interval. It decides if the whole interval lies on one side of a cut between two expected slopes, that of attention that computes only what it needs and that of attention that computes everything: at 0.25 over the knob, at the midpoint over the length. Times below three times the fixed overhead of a call, and peaks below 1 MiB, are ignored; a peak below one byte per pair cannot contain n² data. On processors, the verdict rests on CPU time, on a GPU on latency.',
  claims:
    'A claim is met if the whole interval of a figure is on the right side of the weakest value that rounds to the article’s, or of the near end of its range. The first definition that was measured decides; if another one is met instead, the verdict names it. Among several candidates, the most favorable one decides: the claims are about what can be achieved. Figures of kernels alone say nothing about quality.',
  ratio:
    'The ratio of two medians. Its interval combines the intervals of both medians in quadrature, on a log scale. It covers only the spread within the two processes and is not a verdict.',
  seeds:
    'The difference in mean test score, tuned minus baseline, paired by seed. The seed determines the initial weights, the training items and their order. The 95 % interval is a Student t interval over seeds, and p is two-sided. With three seeds the interval is wide.',
  swapped:
    'Swapped: the candidate with the baseline’s trained weights and no further training. Control: the winner with the same number of keys selected at random instead of by score. A score that the control also reaches is not due to how keys are selected.',
  halving:
    'Asynchronous successive halving (Li et al. 2020): trials pause at rungs and the best continue, ranked by validation score. Test items are used once, at the end.',
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
  stopped: 'fewer items',
  adopt: 'verdicts',
  audit: 'audit',
  claims: 'claims',
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
