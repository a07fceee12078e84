import type { MigrationSettings, Phase } from './migration.ts';
import { phases } from './migration.ts';

/** How far a migration is. */
export interface Position {
  /** Such as `phase 2 of 3`. */
  readonly phase: string;
  /** Steps that came before. */
  readonly done: number;
  readonly total: number;
  /** Of the time, as steps are expected to take it. */
  readonly share: number;
}

interface Stage {
  readonly step: string;
  readonly phase: string;
  /** Time that it takes, as a multiple of the shortest. */
  readonly weight: number;
}

type Weighed = readonly [step: string, weight: number];

/**
 * Where a step lies on a migration's way, `part` of it done. What nobody knows in advance, such as the judging of a tuned candidate, lies where the last known
 * step did.
 */
export function courseOf(settings: Pick<MigrationSettings, 'lengths' | 'compareAt'>, candidates: readonly string[], until: Phase) {
  const stages = stagesOf(settings, candidates)
    .slice(0, phases.indexOf(until) + 1)
    .flat();
  const total = weightOf(stages);
  let at = 0;
  return (step: string, part = 0): Position => {
    const found = stages.findIndex((stage) => stage.step === step);
    const known = found >= 0;
    if (known) at = found;
    const { phase, weight } = stages[at]!;
    const share = (weightOf(stages.slice(0, at)) + (known ? part * weight : 0)) / total;
    return { phase, done: at, total: stages.length, share };
  };
}

/** By phase; the final comparison ends the last. */
function stagesOf({ lengths, compareAt }: Pick<MigrationSettings, 'lengths' | 'compareAt'>, candidates: readonly string[]): Stage[][] {
  const comparison = (name: string, length: number): Weighed[] => [
    [comparisonStep('latency', name, length), 8],
    [comparisonStep('peak-memory', name, length), 2],
  ];
  const baseline = lengths.flatMap((length): Weighed[] => [
    [`baseline/latency/${length}`, 3],
    [`baseline/memory/${length}`, 1],
    [`baseline/waste/${length}`, 1],
  ]);
  const swapped = candidates.flatMap((name): Weighed[] => [[`candidate/${name}/quality`, 2], ...comparison(name, compareAt)]);
  const tuned: Weighed[] = [
    ['tune/saving', 4],
    ['tune/search', 4],
  ];
  const staged = (phase: string, steps: readonly Weighed[]) => steps.map(([step, weight]): Stage => ({ step, phase, weight }));
  return [
    staged('phase 1 of 3', [...baseline, ['baseline/scores', 2]]),
    staged('phase 2 of 3', swapped),
    [
      ...staged('phase 3 of 3', tuned),
      ...staged(
        'final comparison',
        lengths.flatMap((length) => comparison(finalName(''), length)),
      ),
    ],
  ];
}

const final = 'final ';

/** The name under which the last comparison of a candidate is kept. */
export function finalName(candidate: string): string {
  return `${final}${candidate}`;
}

/** The candidate that is compared under a name. */
export function candidateOf(name: string): string {
  return name.startsWith(final) ? name.slice(final.length) : name;
}

/** The step of a comparison; of the last one, whatever is compared in it. */
export function comparisonStep(metric: 'latency' | 'peak-memory', name: string, length: number): string {
  return `${metric}/${name.startsWith(final) ? 'final' : name}/${length}`;
}

function weightOf(stages: readonly Stage[]): number {
  return stages.reduce((sum, { weight }) => sum + weight, 0);
}
