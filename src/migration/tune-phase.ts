import type { Item } from '../contract/data.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { formatVariant } from '../variants/index.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { isRefusal, judgeCandidate } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import { isExact, seesAll } from './exactness.ts';
import { lossOf, lossScale } from './loss-of.ts';
import { itemsOf, sharedItems } from './items.ts';
import type { Migration } from './migration.ts';
import { siteSavings } from './site-savings.ts';
import { searchAssignments } from './search.ts';
import type { AssignmentSearch } from './search.ts';
import type { Assignment } from './search-problem.ts';
import type { ModelCandidate } from './subject.ts';
import { uniformCandidates } from './swap-phase.ts';

/** Softmax temperatures that are tried, as factors of the logits' scale. */
const scaleFactors = [0.9, 1.1, 1.25];

/** What tuning found. */
export interface TuneResult {
  /** Per site, what may stand there: the original first. */
  readonly choices: readonly string[];
  /** Estimated saving, `[site][choice]`: seconds a call, or bytes, by the goal. */
  readonly saving: readonly (readonly number[])[];
  /** Sites whose savings are not known, and 0 above: their own attention could not be timed alone. */
  readonly untimed: readonly number[];
  /** The largest loss accepted on the calibration items. */
  readonly budget: number;
  /** Calibration items that quality is judged on, too: the data held no others. */
  readonly shared: number;
  readonly search: AssignmentSearch;
  /** What else was tried on assignments beyond the budget, and what they lose then. */
  readonly mended: readonly Mended[];
  /** The tuned candidate, judged; null where tuning found nothing but the original or what phase 2 judged already. */
  readonly result: CandidateResult | null;
}

export interface Mended {
  readonly name: string;
  readonly lossBefore: number;
  /** By softmax temperature; null where no factor helped. */
  readonly scaleFactor: number | null;
  /** Layer norms whose scale and shift were calibrated anew. */
  readonly norms: readonly string[];
  readonly lossAfter: number;
}

/**
 * Phase 3 without training: which attention at which site, within half the quality margin on items of their own, so that the last
 * comparison, on others, can show it; then softmax temperature and the layer norms that follow, for what lies beyond the budget. What the
 * backend or the proof refused in phase 2 stands at no site.
 */
export async function tune(migration: Migration, baseline: MeasuredBaseline, judged: readonly CandidateResult[]): Promise<TuneResult> {
  const { state, settings } = migration;
  const sites = [...migration.sites.swappable.keys()];
  const refused = new Set(judged.filter(({ proof }) => proof === null).map(({ name }) => name));
  const candidates = uniformCandidates(migration).filter(({ name }) => !refused.has(name));
  const choices = ['original', ...candidates.map(({ name }) => name)];
  const estimated = await state.step('tune/saving', () => siteSavings(migration, candidates));
  const untimed = sites.filter((_, at) => estimated[at]!.includes(null));
  const saving = estimated.map((row) => row.map((saved) => saved ?? 0));
  const items = await itemsOf(migration, 'calibration');
  const scale = await lossScale(migration);
  const budget = (settings.qualityMargin / 2) * scale.size;
  const assigned = (assignment: Assignment): ModelCandidate => assignedCandidate(assignment, sites, candidates);
  const quality = async (candidate: ModelCandidate): Promise<number> => {
    // What is the same mathematics loses nothing: phase 2 judges that by its outputs.
    if (isExact(migration.sites.sites, candidate)) return 0;
    migration.signal?.throwIfAborted();
    migration.progress('tune/search', candidate.name);
    try {
      return await lossOf(migration, () => migration.subject.open(candidate), { items, scale });
    } catch (error) {
      if (isRefusal(error)) return Infinity;
      throw error;
    }
  };
  const search = await searchAssignments({
    saving,
    budget,
    maxEvaluations: settings.evaluations,
    seed: settings.seed,
    quality: async (assignment) => ({
      loss: (await state.step(`tune/loss/${assignment.join('-')}`, () => quality(assigned(assignment)))) ?? Infinity,
    }),
  });
  const mended = await mendBeyond(migration, { search, budget, assigned, quality, items });
  const best = mended.find(({ within }) => within) ?? { candidate: assigned(search.best.assignment) };
  const known = best.candidate.replacements.size === 0 || candidates.some(({ name }) => name === best.candidate.name);
  const result = known ? null : await judgeCandidate(migration, best.candidate, baseline);
  const shared = await sharedItems(migration);
  return { choices, saving, untimed, budget, shared, search, mended: mended.map(({ report }) => report), result };
}

/** The same choice everywhere, or everywhere that it is for, keeps the name that phase 2 gave it. */
function assignedCandidate(assignment: Assignment, sites: readonly number[], candidates: readonly ModelCandidate[]): ModelCandidate {
  const first = candidates[(assignment.find((choice) => choice > 0) ?? 0) - 1];
  const uniform = assignment.every(
    (choice, at) => candidates[choice - 1] === first || (choice === 0 && first?.replacements.has(sites[at]!) === false),
  );
  if (first !== undefined && uniform) return first;
  const replacements = new Map<number, Replacement>();
  assignment.forEach((choice, at) => {
    const site = sites[at]!;
    const replacement = candidates[choice - 1]?.replacements.get(site);
    if (replacement !== undefined) replacements.set(site, replacement);
  });
  return { name: nameOf(replacements), replacements };
}

function nameOf(replacements: ReadonlyMap<number, Replacement>): string {
  return (
    [...replacements]
      .map(([site, { variant, kernel, parameters }]) => `${site}=${formatVariant({ variant, kernel, parameters })}`)
      .join(' ') || 'original'
  );
}

interface Mending {
  readonly search: AssignmentSearch;
  readonly budget: number;
  assigned(assignment: Assignment): ModelCandidate;
  quality(candidate: ModelCandidate): Promise<number>;
  readonly items: readonly Item[];
}

/** How many assignments beyond the budget are worth a try: those that would save most. */
const mostMended = 2;

/** Temperature and norms for assignments that save more than the best one and lose too much, but not hopelessly. */
async function mendBeyond(migration: Migration, { search, budget, assigned, quality, items }: Mending) {
  const beyond = search.front
    .filter(({ loss, saving }) => loss > budget && loss <= 10 * budget && saving > search.best.saving)
    .toSorted((a, b) => b.saving - a.saving)
    .slice(0, mostMended);
  const found: { report: Mended; candidate: ModelCandidate; within: boolean }[] = [];
  for (const { assignment, loss } of beyond) {
    const plain = assigned(assignment);
    const tried = await migration.state.step(`tune/mend/${assignment.join('-')}`, async () => {
      let best: { factor: number | null; loss: number } = { factor: null, loss };
      for (const factor of scaleFactors) {
        const lost = await quality(tempered(migration, plain, factor));
        if (lost < best.loss) best = { factor, loss: lost };
      }
      const warmer = tempered(migration, plain, best.factor);
      const norms = await migration.subject.norms(warmer, items);
      const lost = Object.keys(norms).length === 0 ? Infinity : await quality({ ...warmer, norms });
      return { ...best, norms: lost < best.loss ? norms : null, loss: Math.min(best.loss, lost) };
    });
    const { norms } = tried;
    const factor = tried.factor === null ? '' : ` scale×${tried.factor}`;
    const name = `${plain.name}${factor}${norms === null ? '' : ' norms'}`;
    const candidate = { ...tempered(migration, plain, tried.factor), name, ...(norms !== null && { norms }) };
    const changed = Object.keys(tried.norms ?? {});
    const report = { name, lossBefore: loss, scaleFactor: tried.factor, norms: changed, lossAfter: tried.loss };
    found.push({ report, candidate, within: tried.loss <= budget && name !== plain.name });
  }
  return found;
}

function tempered({ sites }: Migration, candidate: ModelCandidate, scaleFactor: number | null): ModelCandidate {
  if (scaleFactor === null) return candidate;
  const replacements = [...candidate.replacements].map(
    ([site, replacement]) => [site, seesAll(sites.sites[site]!, replacement) ? replacement : { ...replacement, scaleFactor }] as const,
  );
  return { name: `${candidate.name} scale×${scaleFactor}`, replacements: new Map(replacements) };
}
