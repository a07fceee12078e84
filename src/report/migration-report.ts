import { comparisonSchema } from '../contract/verdict.ts';
import type { Comparison } from '../contract/verdict.ts';
import type { StoredMigrationRecord, StoredMigration } from '../migration/record.ts';
import { reusedText } from '../migration/reused.ts';
import { hostLine } from '../verdict/host-line.ts';
import { assumedText } from '../model/sites/assume.ts';
import { clip } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { labelsOf, pairedNew } from '../verdict/wording.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { reportSchemaName } from './document.ts';
import type { Report, Section, Standing } from './document.ts';
import { hostSection, noiseAlerts } from './host-section.ts';
import { backwardSection } from './migration/backward-section.ts';
import { wasteBySite, whereWeWere } from './migration/baseline-sections.ts';
import type { ComparedFigures } from './migration/baseline-sections.ts';
import type { CandidateRecord } from './migration/candidate-sections.ts';
import { migrationTiles } from './migration/migration-tiles.ts';
import { operatorsSection } from './run/dispatch-section.ts';
import { decodeSection, generationSection } from './migration/decode-sections.ts';
import { recoverySection } from './migration/recovery-section.ts';
import { scalingSection } from './migration/scaling-section.ts';
import { anyStopped, candidatesSection, nameOf, proofSection, qualitySection, tuningSection } from './migration/candidate-sections.ts';
import { blocksSection } from './verdict/blocks-section.ts';
import { changesSection } from './verdict/changes-section.ts';

/** The whole story of a migration: where the model was, what changed, what it cost, what to do. */
export function migrationReport(stored: StoredMigration, folder: string): Report {
  const { record, ended, steps } = stored;
  if (record === null) return partialReport(steps, folder);
  const report = wholeReport(record);
  if (ended) return report;
  const alert = `Partial: the migration was continued after this record was written and has not finished. ${Math.max(0, Object.keys(steps).length - record.steps)} steps are not shown. Run the same command to continue.`;
  return { ...report, standing: 'unsure', alerts: [alert, ...report.alerts] };
}

function wholeReport(record: StoredMigrationRecord): Report {
  const { baseline, tuned, final, host, tool, startedAt, endedAt, model, settings } = record;
  const candidates = judgedCandidates(record);
  const all = [
    ...(final === null ? [] : comparedIn(final).map(({ comparison }) => comparison)),
    ...candidates.flatMap(({ latency, memory, decode, backward }) =>
      [{ latency, memory }, decode, backward].flatMap((use) => [use?.latency ?? [], use?.memory ?? []].flat()),
    ),
  ];
  // The last comparison takes over what was shown before.
  const compared = [...new Map(all.map((comparison) => [comparison.id, comparison])).values()];
  const sections: Array<Section | undefined> = [
    reasonsSection(record),
    baseline.lengths.length > 0 ? whereWeWere(baseline.lengths, comparedFigures(record)) : undefined,
    candidates.length > 0 ? candidatesSection(candidates, record) : undefined,
    candidates.length > 0 ? qualitySection(candidates, record) : undefined,
    compared.length > 0 ? changesSection(compared) : undefined,
    decodeSection(record, candidates),
    generationSection(candidates),
    backwardSection(record, candidates),
    wasteBySite(baseline.lengths),
    tuned === null ? undefined : tuningSection(tuned, record),
    recoverySection(record),
    scalingSection(record),
    proofSection(candidates),
    ranSection(record),
    blocksSection(compared, labelsOf(compared)),
    hostSection(
      host,
      record.warnings,
      compared.flatMap((comparison) => comparison.blocks),
    ),
    methodsSection([
      'adopt',
      'effect',
      'outcomes',
      'quality',
      ...(anyStopped(candidates) ? ['stopped' as const] : []),
      'waste',
      'front',
      'memory',
    ]),
    reproduceSection([record.command]),
  ];
  return {
    schema: reportSchemaName,
    kind: 'migration',
    title: `Migration of ${clip(oneLine(model.split('/').at(-1)!), 200)}`,
    verdict: verdictOf(record),
    standing: standingOf(record),
    tiles: migrationTiles(record, candidates),
    answer: answerOf(record),
    alerts: [
      ...(candidates.length === 0 ? ['Only the baseline was measured. There is no candidate to judge yet.'] : []),
      ...(record.notDecoded ? [`Decoding through the cache was not measured: ${clip(oneLine(record.notDecoded), 300)}.`] : []),
      ...(record.sites ?? []).flatMap((site) => clip(oneLine(assumedText(site) ?? ''), 200) || []),
      ...noiseAlerts(record.warnings),
    ],
    facts: [
      { term: 'model', text: clip(oneLine(model), 500) },
      { term: 'measured', text: `${startedAt} to ${endedAt}` },
      ...(Object.keys(record.reused ?? {}).length === 0 ? [] : [{ term: 'reused', text: reusedText(record.reused!) }]),
      { term: 'host', text: hostLine(host) },
      {
        term: 'lengths',
        text: `${settings.lengths.join(', ')} tokens; candidates at ${settings.compareAt}; backend ${clip(oneLine(settings.backend), 60)}`,
      },
      ...(final?.model ? [{ term: 'new model', text: clip(oneLine(final.model), 500) }] : []),
      { term: 'tool', text: `attnswap ${clip(oneLine(tool.version), 50)}` },
    ],
    sections: sections.filter((section) => section !== undefined),
  };
}

/** What the runtime ran of the original, and of the last comparison's model. */
function ranSection({ baseline, final, settings }: StoredMigrationRecord): Section | undefined {
  const setting = clip(oneLine(settings.backend), 60);
  const told = (name: string, dispatch: typeof baseline.dispatch) =>
    dispatch ? [{ name, setting, length: settings.compareAt, dispatch }] : [];
  return operatorsSection([
    ...told('original', baseline.dispatch),
    ...(final === null ? [] : told(nameOf(final.candidate), final.dispatch)),
  ]);
}

/** All that the last comparison compared, in both uses of a decoder. */
function comparedIn({ latency, memory, decode }: NonNullable<StoredMigrationRecord['final']>) {
  return [...latency, ...memory, ...(decode ? [...decode.latency, ...decode.memory] : [])];
}

/** All that were judged: phase 2's candidates, and what tuning and training found. */
function judgedCandidates({ candidates, tuned, recovered }: StoredMigrationRecord): CandidateRecord[] {
  const trained = (recovered ?? []).flatMap((each) => ('result' in each ? each.result : []));
  return [...(candidates ?? []), ...(tuned?.result ? [tuned.result] : []), ...trained];
}

/** What the verdict rests on; undefined where nothing was judged. */
function decisionOf(record: StoredMigrationRecord): CandidateRecord['decision'] | undefined {
  const judged = judgedCandidates(record);
  return (record.final ?? judged.find(({ decision }) => decision.verdict === record.verdict) ?? judged[0])?.decision;
}

/** What to do, in a few words. */
function verdictOf(record: StoredMigrationRecord): string {
  const { verdict } = record;
  const decision = decisionOf(record);
  if (verdict === null) return 'No verdict yet';
  const name = decision === undefined ? '(the record does not say what)' : nameOf(decision.candidate);
  return { adopt: `Adopt ${name}`, 'tune-first': `Tune ${name} first`, reject: `Keep the model as it is: do not adopt ${name}` }[verdict];
}

function answerOf(record: StoredMigrationRecord): string {
  const { verdict, baseline } = record;
  if (verdict === null) return `The original model was measured at ${baseline.lengths.length} lengths.`;
  // What decided comes first; the other reasons are told under Why.
  return clip(oneLine(decisionOf(record)?.reasons[0] ?? ''), 900);
}

function standingOf({ verdict }: StoredMigrationRecord): Standing {
  return verdict === null ? 'plain' : ({ adopt: 'good', 'tune-first': 'unsure', reject: 'bad' } as const)[verdict];
}

/** The reasons of the verdict, with the figures that they rest on. */
function reasonsSection(record: StoredMigrationRecord): Section | undefined {
  const decision = decisionOf(record);
  if (decision === undefined) return undefined;
  const lines = decision.reasons.map((reason) => clip(oneLine(reason), 1200));
  return { id: 'reasons', title: 'Why', parts: [{ kind: 'notes', lines }] };
}

function comparedFigures({ final }: StoredMigrationRecord): ComparedFigures | undefined {
  if (final === null) return undefined;
  const figures = (compared: NonNullable<StoredMigrationRecord['final']>['latency'], side: 'base' | 'new') =>
    new Map(
      compared.flatMap(({ length, comparison }) => {
        const value = side === 'base' ? comparison.base : pairedNew(comparison);
        return value === null ? [] : [[length, value] as const];
      }),
    );
  return {
    name: nameOf(final.candidate),
    latencyNs: { base: figures(final.latency, 'base'), new: figures(final.latency, 'new') },
    peakBytes: { base: figures(final.memory, 'base'), new: figures(final.memory, 'new') },
  };
}

/** The comparisons among a migration's steps. */
export function comparisonsIn(steps: StoredMigration['steps']): Comparison[] {
  return Object.values(steps).flatMap((step) => {
    const parsed = comparisonSchema.safeParse(step);
    return parsed.success ? [parsed.data] : [];
  });
}

/** What an interrupted migration has: its comparisons, and the names of its steps. */
function partialReport(steps: StoredMigration['steps'], folder: string): Report {
  const names = Object.keys(steps);
  const compared = comparisonsIn(steps);
  const last = names.at(-1);
  return {
    schema: reportSchemaName,
    kind: 'migration',
    title: `Migration in ${clip(oneLine(folder), 200)}`,
    verdict: 'Not finished: no verdict yet',
    standing: 'unsure',
    tiles: [],
    answer: `${names.length} steps were completed${last === undefined ? '' : `, the last one ${clip(oneLine(last), 200)}`}.`,
    alerts: ['Partial: the migration was interrupted. Run the same command to continue.'],
    facts: [],
    sections: [
      ...(compared.length > 0 ? [changesSection(compared)] : []),
      {
        id: 'steps',
        title: 'Completed steps',
        parts: [{ kind: 'notes', lines: names.slice(0, 500).map((name) => clip(oneLine(name), 200)) }],
      },
      methodsSection(['effect', 'outcomes']),
    ],
  };
}
