import type { ModelInput } from '../../contract/adapter.ts';
import { denseSpan } from '../../contract/span.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { Candidate } from './candidate.ts';
import { domainOf, stylesOf } from './input-domains.ts';
import type { Domain, Domains } from './input-domains.ts';
import { probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { isBlind, keptKeys, readMasks } from './read-masks.ts';
import type { MaskReading, PairSizes } from './read-masks.ts';
import type { Reach } from './value-reach.ts';
import type { Seen, WatchedModel } from './watch.ts';

/** A site's mask in a run of what it is computed from alone. */
export interface MaskRun {
  readonly at: ProbeCase;
  readonly seen: Seen;
  readonly reading: MaskReading;
}

/** What was seen of a site's mask before the model itself ran. */
export interface MaskEvidence {
  readonly runs: readonly MaskRun[];
  /** Why the mask cannot be believed to be what it looks like. */
  readonly problem?: string;
}

/** A candidate whose mask can be read in runs of the first probe's sizes. */
export interface MaskSubject {
  readonly candidate: Candidate;
  readonly reach: Reach;
  readonly sizes: PairSizes;
  /** Largest term that rounding explains. */
  readonly tolerance: number;
  /** Sizes of what its path carries, in the first probe. */
  dims(tensor: string): readonly number[];
}

interface Drawing {
  /** Everything that the model reads. */
  readonly inputs: readonly ModelInput[];
  readonly given: DimensionSizes;
  readonly first: ProbeCase;
}

/** More inputs than this that may hold flags are not tried in all combinations. */
const mostCombined = 5;

/** What every input that reaches a mask by value may hold, and so that as many keys as possible count. */
export async function findDomains(model: WatchedModel, subjects: readonly MaskSubject[], drawing: Drawing): Promise<Domains> {
  const reaching = drawing.inputs.filter(({ name }) => subjects.some(({ reach }) => reach.inputs.has(name)));
  const constants = (name: string) => subjects.flatMap(({ reach }) => (reach.inputs.has(name) ? reach.constants : []));
  const tableSize = (name: string) => Math.max(0, ...subjects.map(({ reach }) => (reach.inputs.has(name) ? reach.tableSize : 0)));
  const domains: Record<string, Domain> = Object.fromEntries(
    reaching.map((input) => [input.name, domainOf(input, [...new Set(constants(input.name))], tableSize(input.name))]),
  );
  for (const { name } of reaching)
    if (domains[name]!.kind === 'counts' && subjects.some((each) => each.reach.inputs.has(name) && countsStored(each.candidate)))
      domains[name] = { kind: 'counts', stored: true };
  const flags = reaching.filter(({ name }) => domains[name]!.kind === 'flags');
  const score = async (each: Domains): Promise<number> => {
    const readings = await readAll(model, subjects, { ...drawing, at: plain(drawing.first, each) });
    return readings.reduce(
      (sum, { reading: { problem, allowed } }) => sum + (problem === undefined ? count(allowed) : 0.5 * count(allowed)),
      0,
    );
  };
  let best = { score: -1, domains };
  for (const keeps of combinations(flags.length)) {
    const tried = { ...domains, ...Object.fromEntries(flags.map(({ name }, at) => [name, { kind: 'flags', keeps: keeps[at]! } as const])) };
    const reached = await score(tried);
    if (reached > best.score) best = { score: reached, domains: tried };
  }
  // Whole numbers without a telling name may be flags after all, of which any number but 0 hides what it marks.
  for (const { name } of reaching.filter((input) => domains[input.name]!.kind === 'ids')) {
    const tried = { ...best.domains, [name]: { kind: 'flags', keeps: 0 } as const };
    const reached = await score(tried);
    if (reached > 4 * best.score) best = { score: reached, domains: tried };
  }
  return withAdded(model, subjects, { ...drawing, first: plain(drawing.first, best.domains) });
}

/** Whether it is the standard operator over buffers of keys, of which a tensor says how many count. */
export function countsStored({ anchor, declared }: Candidate): boolean {
  return ['', 'ai.onnx'].includes(anchor.domain) && declared?.masks.some(({ rule }) => rule === 'lengths') === true;
}

/** Floats that look like flags and are added to the logits as they are. */
async function withAdded(model: WatchedModel, subjects: readonly MaskSubject[], drawing: Drawing): Promise<Domains> {
  const { domains } = drawing.first;
  const added: string[] = [];
  for (const { name, type } of drawing.inputs) {
    const domain = domains[name];
    if (domain?.kind !== 'flags' || !type.startsWith('float')) continue;
    const other = { ...domains, [name]: { kind: 'flags', keeps: domain.keeps === 1 ? 0 : 1 } as const };
    const affected = subjects.filter(({ reach }) => reach.inputs.has(name));
    const readings = await readAll(model, affected, { ...drawing, at: plain(drawing.first, other) });
    if (readings.some(({ reading }) => reading.problem !== undefined)) added.push(name);
  }
  return { ...domains, ...Object.fromEntries(added.map((name) => [name, { kind: 'added' } as const])) };
}

/**
 * Varies each input that reaches a mask by value, alone and all together, and reads the masks: an input that changed nothing in any run is
 * one of which nothing is known.
 */
export async function seeMasks(model: WatchedModel, subjects: readonly MaskSubject[], drawing: Drawing): Promise<MaskEvidence[]> {
  const { first } = drawing;
  const cases: ProbeCase[] = [
    first,
    ...Object.entries(first.domains).flatMap(([name, domain]) => stylesOf(domain).map((style) => ({ ...first, ...style, only: name }))),
    ...(['right', 'left', 'mixed'] as const).map((style) => ({ ...first, style })),
  ];
  const runs = subjects.map((): MaskRun[] => []);
  for (const at of cases)
    for (const { subject, seen, reading } of await readAll(model, subjects, { ...drawing, at }))
      runs[subjects.indexOf(subject)]!.push({ at, seen, reading });
  return subjects.map(({ reach }, at) => judgeEvidence(reach, first.domains, runs[at]!));
}

function judgeEvidence({ inputs, unsettled }: Reach, domains: Domains, runs: readonly MaskRun[]): MaskEvidence {
  const isMarked = ({ at }: MaskRun) => at.style === 'blocks' && domains[at.only ?? '']?.kind === 'flags';
  const holdsFractions = ({ at, seen }: MaskRun) => seen.feeds[at.only ?? '']?.type.startsWith('float') === true;
  const soft = runs.find((run) => isMarked(run) && holdsFractions(run) && run.reading.problem !== undefined);
  // Numbers beyond 1 say something only where they make a mask of pairs: (1 − mask)·−10 000 and its like take 0 and 1 alone.
  const isStray = (run: MaskRun) =>
    isMarked(run) &&
    (run.reading.problem !== undefined ||
      (!holdsFractions(run) && [false, true].some((causal) => keptKeys(run.reading, denseSpan(causal)) !== undefined)));
  const sighted = runs.filter((run) => !isBlind(run.reading) && !isStray(run));
  const base = runs.find(({ at }) => at.style === 'plain');
  if (unsettled !== undefined) return { runs: sighted, problem: unsettled };
  if (base === undefined || isBlind(base.reading))
    return { runs: sighted, problem: 'no run was found in which its queries see their keys' };
  const added = [...inputs].find((name) => domains[name]?.kind === 'added');
  if (added !== undefined) return { runs: sighted, problem: `${added} is added to its logits unchanged and may hold any bias` };
  if (soft !== undefined) return { runs: sighted, problem: `${soft.at.only} is a float mask whose fractions bias its logits` };
  const unseen = [...inputs].filter((name) => !sighted.some(({ at, reading }) => at.only === name && differs(reading, base?.reading)));
  if (unseen.length === 0) return { runs: sighted };
  return {
    runs: sighted,
    problem: `${unseen.join(', ')} ${unseen.length === 1 ? 'reaches' : 'reach'} its mask or bias, and no run showed how`,
  };
}

function differs(reading: MaskReading, base: MaskReading | undefined): boolean {
  if (base === undefined) return false;
  return reading.problem !== base.problem || reading.allowed.some((open, at) => open !== base.allowed[at]);
}

async function readAll(
  model: WatchedModel,
  subjects: readonly MaskSubject[],
  { inputs, given, at }: Omit<Drawing, 'first'> & { at: ProbeCase },
): Promise<Array<{ subject: MaskSubject; seen: Seen; reading: MaskReading }>> {
  // What a drawn value does not fit, an index out of range say, shows nothing.
  const seen = await model.run(probeInputs(inputs, at, given)).catch(() => undefined);
  if (seen === undefined) return [];
  return subjects.flatMap((subject) => {
    const { candidate, sizes, tolerance, dims } = subject;
    const reading = readMasks(candidate, { tensor: (name) => seen.tensor(name), dims }, sizes, tolerance);
    return reading === undefined || typeof reading === 'string' ? [] : [{ subject, seen, reading }];
  });
}

function plain(at: ProbeCase, domains: Domains): ProbeCase {
  return { ...at, style: 'plain', domains };
}

/** 0 and 1 for each of some inputs, all ones first; of many inputs all ones and all zeros alone. */
function combinations(size: number): Array<ReadonlyArray<0 | 1>> {
  const same = (value: 0 | 1) => Array.from({ length: size }, () => value);
  if (size > mostCombined) return [same(1), same(0)];
  return Array.from({ length: 2 ** size }, (_, code) => Array.from({ length: size }, (__, at) => (((code >> at) & 1) === 0 ? 1 : 0)));
}

function count(allowed: Uint8Array): number {
  return allowed.reduce((sum, open) => sum + open, 0);
}
