import type { Comparison } from '../contract/verdict.ts';
import type { CandidateResult } from '../migration/candidate.ts';
import { verdictCells, verdictWords } from '../migration/decide.ts';
import type { MigrationReport } from '../migration/migrate.ts';
import type { MigrationSettings } from '../migration/migration.ts';
import type { TuneResult } from '../migration/tune-phase.ts';
import { untimedText } from '../migration/untimed.ts';
import { reusedText } from '../migration/reused.ts';
import { passedOverText } from '../migration/passed-over.ts';
import type { WasteFigure } from '../waste/schema.ts';
import { trainedToTheEnd } from '../migration/recover.ts';
import { driftSize } from '../migration/quality-of.ts';
import type { Site } from '../model/sites/site.ts';
import { itemsText, tokensText } from '../quality/judgement.ts';
import { digits, percent, signed, size, time } from '../text/figures.ts';
import { clip, table, wrapped } from '../text/layout.ts';
import { baseToNew } from '../verdict/wording.ts';
import { backwardBaselineText, backwardCandidatesText } from './backward-text.ts';
import { decodeBaselineText, decodeCandidatesText, decodeFinalText, generationText, withUses } from './decode-text.ts';
import { shardedBy } from '../migration/scaling.ts';
import { scalingText } from './scaling-text.ts';
import { visible } from '../text/untrusted.ts';
import { meanOf } from '../statistics/mean.ts';

interface Context {
  readonly settings: MigrationSettings;
  readonly sites: readonly Site[];
  /** What a score is. */
  readonly metric: string | undefined;
  readonly folder: string;
  /** When figures were measured that were reused, by their steps. */
  readonly reused?: Readonly<Record<string, string>> | undefined;
}

/** A migration as a text of at most 100 columns: where we were, what changed, what it cost, what to do. */
export function migrationText(report: MigrationReport, context: Context): string {
  const parts = [baselineText(report, context)];
  const recovered = report.recovered ?? [];
  const trained = recovered.flatMap((each) => ('result' in each ? each.result : []));
  if (report.candidates !== null)
    parts.push(candidatesText([...report.candidates, ...(report.tuned?.result ? [report.tuned.result] : []), ...trained], report, context));
  if (report.tuned !== null) parts.push(tunedText(report.tuned, context));
  if (recovered.length > 0) parts.push(recoveryText(recovered, context.settings.recover?.patience));
  if (report.scaling) parts.push(scalingText(report.scaling, shardedBy(context.settings), short));
  if (report.final !== null) parts.push(finalText(report));
  parts.push(conclusion(report, context));
  return parts.join('\n\n');
}

function baselineText({ baseline }: MigrationReport, { metric, sites }: Context): string {
  const waste = (site: number, at: (typeof baseline.lengths)[number]) => {
    const figure = at.waste.find((each) => each.site === site)?.overall.wastedCompute.p95;
    return figure === null || figure === undefined ? '–' : percent(figure.value);
  };
  const wasted = sites.filter(({ swappable }) => swappable).map(({ site }) => site);
  // More columns than a terminal has room for become lines of their own.
  const shown = wasted.length <= mostColumns ? wasted : [];
  const listed = shown.length > 0 ? [] : baseline.lengths.map((at) => wasteLine(at.length, wasted, (site) => waste(site, at)));
  const header = [
    'tokens',
    baseline.decode ? 'prefill' : 'latency',
    '95 % interval',
    'peak memory',
    ...shown.map((site) => `waste, site ${site}`),
  ];
  const rows = baseline.lengths.map((at) => [
    `${at.length}`,
    time(at.medianNs),
    `${time(at.lowNs)} … ${time(at.highNs)}`,
    size(at.peakHostBytes),
    ...shown.map((site) => waste(site, at)),
  ]);
  const lines = ['Phase 1: the original model', table([header, ...rows])];
  lines.push(...listed);
  lines.push('waste: share of scored pairs beyond the smallest sets of keys that hold 95 % of the attention');
  lines.push(...groupLines(baseline.lengths));
  if (baseline.scores !== null)
    lines.push(`quality: ${digits(meanOf(baseline.scores))} over ${baseline.scores.length} items (${visible(metric ?? 'score')})`);
  for (const flag of baseline.dispatch?.flags ?? []) lines.push(wrapped(`runtime: ${visible(flag)}`));
  if (baseline.decode) lines.push(decodeBaselineText(baseline.decode));
  if (baseline.backward) lines.push(backwardBaselineText(baseline.backward));
  return lines.join('\n');
}

/** What each group of keys gets at each site, at the greatest length whose item names some. */
function groupLines(lengths: MigrationReport['baseline']['lengths']): string[] {
  const at = lengths.findLast(({ waste }) => waste.some(({ overall }) => overall.groups !== undefined));
  if (at === undefined) return [];
  const share = (figure: WasteFigure | null) => (figure === null ? '–' : percent(figure.value));
  const rows = at.waste.flatMap(({ site, overall: { groups = [] } }) =>
    groups.map(({ name, mass, pairs, wastedCompute }) => [`${site}`, visible(name), share(mass), share(pairs), share(wastedCompute.p95)]),
  );
  return [`attention by keys, at ${at.length} tokens`, table([['site', 'keys', 'mass', 'pairs', 'waste'], ...rows])];
}

/** Sites whose waste has a column. */
const mostColumns = 4;

/** `waste at 512 tokens by site: 0 18 %, 1 24 %, …`. */
function wasteLine(length: number, sites: readonly number[], waste: (site: number) => string): string {
  return wrapped(`waste at ${length} tokens by site: ${sites.map((site) => `${site}: ${waste(site)}`).join(', ')}`);
}

function candidatesText(results: readonly CandidateResult[], report: MigrationReport, { settings }: Context): string {
  const rows = results.map(({ name, latency, memory, quality, decision }) => [
    short(name),
    change(latency),
    change(memory),
    qualityCell(quality),
    report.front.includes(name) ? '*' : '',
    verdictCells[decision.verdict],
  ]);
  const header = ['candidate', `latency at ${settings.compareAt}`, `memory at ${settings.compareAt}`, 'quality', 'front', 'verdict'];
  const reasons = results.map(
    ({ name, decision }) => `${short(name)}: ${verdictWords[decision.verdict]}: ${visible(decision.reasons[0] ?? '')}`,
  );
  const written = { length: settings.compareAt, name: short, change };
  return [
    'Phase 2: each candidate at every site, compared with the original',
    table([header, ...rows]),
    '* on the Pareto front (quality, latency, memory)',
    ...results.flatMap(({ name, passedOver }) => (passedOver === undefined ? [] : [`${short(name)}: ${passedOverText(passedOver)}`])),
    ...fewerItems(results),
    ...[decodeCandidatesText(results, written), generationText(results, short), backwardCandidatesText(results, written)].filter(
      (text) => text !== '',
    ),
    '',
    ...reasons,
  ].join('\n');
}

/** Which candidates were judged on fewer items than there are, and on how many. */
function fewerItems(results: readonly CandidateResult[]): string[] {
  const stopped = results.flatMap(({ name, quality }) => {
    const counted = quality?.task ?? quality?.drift;
    return counted && counted.items < (counted.of ?? counted.items) ? `${short(name)} ${itemsText(counted)}` : [];
  });
  return stopped.length === 0 ? [] : [wrapped(`decided before the last item (intervals are valid at any stop): ${stopped.join(', ')}`)];
}

function qualityCell(quality: CandidateResult['quality']): string {
  if (quality === null) return '–';
  const { task, drift } = quality;
  if (task !== null) return signed(task.difference, digits(Math.abs(task.difference)));
  if (drift.state === 'fault') return 'fault';
  return `drift ${digits(Math.max(...drift.outputs.map(driftSize)))}`;
}

function tunedText({ search, budget, shared, choices, untimed, mended, result }: TuneResult, { settings, sites }: Context): string {
  const saved = (amount: number) => (settings.goal === 'memory' ? size(amount) : `${time(amount * 1e9)} per call`);
  const { best } = search;
  const swappable = sites.filter((site) => site.swappable);
  const named = best.assignment.map((choice, at) => `${swappable[at]!.site}=${choices[choice]}`).join(' ');
  const estimate = settings.goal === 'memory' ? 'summed over sites; the saving at the peak is smaller' : 'from kernel times alone';
  const measured = `${search.evaluations} assignment${search.evaluations === 1 ? '' : 's'} measured (${search.stopped})`;
  const lines = [
    'Phase 3: tuning without training',
    `${measured}, loss budget ${digits(budget)} on calibration items`,
    best.saving > 0
      ? wrapped(`best within the budget: ${named}: loss ${digits(best.loss)}, estimated saving ${saved(best.saving)} (${estimate})`)
      : `best within the budget: the original${untimed.length > 0 ? '' : ' (by kernel times alone, nothing else saves anything)'}`,
  ];
  if (untimed.length > 0) lines.push(wrapped(untimedText(untimed)));
  if (search.correlation !== null) lines.push(`correlation of predicted and measured losses: ${digits(search.correlation)}`);
  if (shared > 0) lines.push(`${shared} calibration items are also used to judge quality, because the data has no others`);
  for (const { name, lossBefore, lossAfter } of mended)
    lines.push(`recalibrated: ${short(name)}: loss ${digits(lossBefore)} → ${digits(lossAfter)}`);
  if (result !== null) lines.push(`judged above under the name ${short(result.name)}`);
  return lines.join('\n');
}

function recoveryText(recovered: NonNullable<MigrationReport['recovered']>, patience = 0): string {
  const trained = recovered.filter((each) => 'result' in each);
  const rows = trained.map(({ from, parameters, losses, kept, lostBefore, lostBetween, lostAfter, share }) => [
    short(from),
    `${parameters}`,
    `${kept}`,
    losses.transfer.length === 0 ? '–' : `${digits(losses.transfer[0]!)} → ${digits(losses.transfer.at(-1)!)}`,
    [lostBefore, ...(lostBetween === null ? [] : [lostBetween]), lostAfter].map((lost) => digits(lost)).join(' → '),
    percent(share),
  ]);
  const header = ['candidate', 'parameters', 'steps', 'loss by layer', 'margins lost', 'recovered'];
  const failures = recovered.flatMap((each) => ('failure' in each ? `${short(each.from)}: not trained: ${visible(each.failure)}` : []));
  const title = 'Phase 3: low-rank updates of the attention layers, trained on other items';
  const told = 'steps: of the checkpoint that was kept; margins lost: before training → after the layer-by-layer stage → after both';
  const early = patience > 0 && trained.some(({ heldOut }) => heldOut === 0) ? [wrapped(trainedToTheEnd)] : [];
  return [title, ...(rows.length > 0 ? [table([header, ...rows]), wrapped(told)] : []), ...early, ...failures].join('\n');
}

function finalText({ final }: MigrationReport): string {
  const { candidate, latency, memory, decode, decision } = final!;
  const rows = latency.map(({ length, comparison }, at) => {
    const peak = memory[at]!.comparison;
    return [`${length}`, baseToNew(comparison) || '–', change(comparison), baseToNew(peak) || '–', change(peak)];
  });
  const header = ['tokens', 'latency', 'change', 'peak memory', 'change'];
  return [
    `Final comparison: ${short(candidate)} against the original`,
    table([header, ...rows]),
    ...(decode ? [decodeFinalText(decode, change)] : []),
    ...decision.reasons.map((text) => visible(text)),
  ].join('\n');
}

function conclusion({ final, verdict, candidates }: MigrationReport, { folder, settings, reused = {} }: Context): string {
  const timed = (candidates ?? []).some(({ latency }) => latency !== null);
  const looked = final !== null ? settings.lengths : timed ? [settings.compareAt] : [];
  const at = looked.length === 0 ? 'no candidate was timed' : `candidates were timed at ${tokensText(looked)}`;
  const said = {
    adopt:
      final === null
        ? `Verdict: adopt, based on few blocks at ${settings.compareAt} tokens; --until tune compares at every length`
        : 'Verdict: adopt',
    'tune-first': 'Verdict: tune first (there is a gain, but something else gets worse or quality is not shown to hold)',
    reject: `Verdict: keep the model as it is (${at})`,
    none: 'No verdict yet',
  }[verdict ?? 'none'];
  const model = final?.model ?? null;
  const deciding = final?.decision ?? candidates?.find(({ decision }) => decision.verdict === verdict)?.decision;
  return [
    withUses(said, deciding?.uses),
    ...(model === null ? [] : [`migrated model: ${model}`]),
    ...(Object.keys(reused).length === 0 ? [] : [wrapped(`${reusedText(reused)} (--dir <new> --fresh reuses none)`)]),
    `all results: ${folder}/record.json`,
  ].join('\n');
}

/** −12.3 % [−14, −10]. */
function change(comparison: Comparison | null): string {
  if (comparison === null) return 'not timed';
  if (comparison.effect === null) return comparison.outcome;
  const { estimate, low, high } = comparison.effect;
  const points = (share: number, places: number) => signed(share, Math.abs(100 * share).toFixed(places));
  // Two pairs of peaks as small as a page may leave a bound of any size.
  const upper = high < 100 ? points(high, 0) : 'over +9999';
  return `${points(estimate, 1)} % [${points(low, 0)}, ${upper}]`;
}

function short(name: string): string {
  return clip(name, 40);
}
