import type { Use } from './decide.ts';
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

/** `decodes`: whether the model is decoded token by token as well. */
type Subject = Pick<MigrationSettings, 'lengths' | 'compareAt' | 'generate' | 'backward'> & { readonly decodes?: boolean };

/**
 * Where a step lies on a migration's way, `part` of it done. What nobody knows in advance, such as the judging of a tuned candidate, lies where the last known
 * step did.
 */
export function courseOf(settings: Subject, candidates: readonly string[], until: Phase) {
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
function stagesOf({ lengths, compareAt, decodes = false, generate, backward }: Subject, candidates: readonly string[]): Stage[][] {
  const decided: ReadonlyArray<Place['use']> = decodes ? ['prefill', 'decode'] : ['prefill'];
  const measured = backward === true ? [...decided, 'forward+backward' as const] : decided;
  const comparison = (name: string, length: number, among: typeof decided): Weighed[] =>
    among.flatMap((use): Weighed[] => [
      [comparisonStep('latency', name, { length, use }), 8],
      [comparisonStep('peak-memory', name, { length, use }), 2],
    ]);
  const baseline = lengths.flatMap((length): Weighed[] => [
    [`baseline/latency/${length}`, 3],
    [`baseline/memory/${length}`, 1],
    [`baseline/waste/${length}`, 1],
  ]);
  const further = measured.slice(1).flatMap((use) =>
    lengths.flatMap((length): Weighed[] => [
      [`baseline/latency/${placeName({ length, use })}`, 3],
      [`baseline/memory/${placeName({ length, use })}`, 1],
    ]),
  );
  const swapped = candidates.flatMap((name): Weighed[] => [
    [`candidate/${name}/quality`, 2],
    ...(decodes ? [[`candidate/${name}/decode`, 2] as const] : []),
    ...(generate === undefined ? [] : [[`candidate/${name}/generation`, 4] as const]),
    ...comparison(name, compareAt, measured),
  ]);
  const tuned: Weighed[] = [
    ['tune/saving', 4],
    ['tune/search', 4],
  ];
  const staged = (phase: string, steps: readonly Weighed[]) => steps.map(([step, weight]): Stage => ({ step, phase, weight }));
  return [
    staged('phase 1 of 3', [...baseline, ...further, ['baseline/scores', 2]]),
    staged('phase 2 of 3', swapped),
    [
      ...staged('phase 3 of 3', tuned),
      ...staged(
        'final comparison',
        lengths.flatMap((length) => comparison(finalName(''), length, decided)),
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

/** At which length, and in which use, something is measured: one that the verdict rests on, or a step of a training without its optimizer. */
export interface Place {
  readonly length: number;
  readonly use: Use | 'forward+backward';
}

/** A place as the end of a step's name: `512`, or `decode/512`. */
export function placeName({ length, use }: Place): string {
  return use === 'prefill' ? `${length}` : `${use}/${length}`;
}

/** The step of a comparison; of the last one, whatever is compared in it. */
export function comparisonStep(metric: 'latency' | 'peak-memory', name: string, place: Place): string {
  return `${metric}/${name.startsWith(final) ? 'final' : name}/${placeName(place)}`;
}

function weightOf(stages: readonly Stage[]): number {
  return stages.reduce((sum, { weight }) => sum + weight, 0);
}
