import { digits } from '../text/figures.ts';
import { verdictWords } from '../migration/decide.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';
import { hostLine } from '../verdict/host-line.ts';
import { clip, sentenceCase } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { labelsOf } from '../verdict/wording.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { reportSchemaName } from './document.ts';
import type { Report, Section, Standing, Term } from './document.ts';
import { hostSection, noiseAlerts } from './host-section.ts';
import { ablationsSection } from './tuning/ablations-section.ts';
import { curvesSection } from './tuning/curves-section.ts';
import { gradedSection } from './tuning/graded-section.ts';
import { gainsSection } from './tuning/gains-section.ts';
import { scoresSection } from './tuning/scores-section.ts';
import { scoreText } from './tuning/measure.ts';
import { searchSection } from './tuning/search-section.ts';
import { diverged, trained } from './tuning/trained.ts';
import { meanTest, viewOf } from './tuning/tuning-view.ts';
import type { NamedCandidate, TuningView } from './tuning/tuning-view.ts';
import { bestCandidate, tuningTiles } from './tuning/tuning-tiles.ts';
import { wasteSection } from './tuning/waste-section.ts';
import { verdictsSection } from './tuning/verdicts-section.ts';
import { blocksSection } from './verdict/blocks-section.ts';
import { changesSection } from './verdict/changes-section.ts';

/** The whole story of a tuning: what a swap costs, what training gets back, what is gained by it, and what to do. */
export function tuningReport(record: StoredTuningRecord): Report {
  const view = viewOf(record);
  return {
    schema: reportSchemaName,
    kind: 'tuning',
    title: `Tuning of ${clip(oneLine(record.settings.name), 200)}`,
    verdict: verdictOf(view),
    standing: standingOf(record),
    tiles: tuningTiles(view),
    answer: answerOf(view),
    alerts: [...alertsOf(view), ...noiseAlerts(record.warnings)],
    facts: factsOf(view),
    sections: sectionsOf(view),
  };
}

function sectionsOf(view: TuningView): Section[] {
  const { record } = view;
  // Their own names are whole trials; what is compared is told by the attention.
  const compared = view.candidates.flatMap(({ name, found: { latency, memory } }) =>
    [latency, memory].map((comparison) => ({ ...comparison, name, cell: name })),
  );
  const sections: Array<Section | undefined> = [
    verdictsSection(view),
    scoresSection(view),
    curvesSection(view),
    searchSection(view),
    ablationsSection(view),
    gradedSection(view),
    wasteSection(view),
    gainsSection(view),
    compared.length > 0 ? changesSection(compared) : undefined,
    blocksSection(compared, labelsOf(compared)),
    hostSection(record.host, record.warnings),
    methodsSection(['adopt', 'seeds', 'swapped', 'halving', 'quality', 'scored', 'effect', 'outcomes', 'memory', 'front']),
    reproduceSection([record.command]),
  ];
  return sections.filter((section) => section !== undefined);
}

function factsOf({ record, measure }: TuningView): Term[] {
  const { settings, startedAt, endedAt, host, tool } = record;
  const { model, trainer, backend, items, training } = settings;
  const name = (text: string) => clip(oneLine(text), 60);
  return [
    { term: 'task', text: clip(measure.task, 500) },
    { term: 'model', text: `${model.layers} layers, width ${model.width}, ${model.heads} heads` },
    {
      term: 'training',
      text: `on ${name(trainer)}: ${items.train} items, up to ${training.epochs} epochs of batches of ${training.batch}, ${record.baseline.length} seeds`,
    },
    { term: 'compared', text: `exported models on ${name(backend)}` },
    { term: 'measured', text: `${startedAt} to ${endedAt}` },
    { term: 'host', text: hostLine(host) },
    { term: 'tool', text: `attnswap ${clip(oneLine(tool.version), 50)}` },
  ];
}

/** What to do, in a few words. */
function verdictOf({ candidates, baseline }: TuningView): string {
  const told = (verdict: string) => candidates.filter(({ found }) => found.decision.verdict === verdict).map(({ name }) => name);
  const [adopted, later] = [told('adopt'), told('tune-first')];
  if (adopted.length > 0) return clip(`Adopt ${adopted.join(' or ')}`, 300);
  if (later.length > 0) return clip(`Not yet: ${later.join(' or ')} needs more tuning`, 300);
  return candidates.length === 0 ? 'No verdict: only the baseline was trained' : `Keep ${baseline}`;
}

function answerOf(view: TuningView): string {
  const { candidates, baseline, record, measure } = view;
  if (candidates.length === 0) return `There is no attention to compare with ${baseline}.`;
  const adopted = candidates.filter(({ found }) => found.decision.verdict === 'adopt');
  if (adopted.length === 0) return whyNone(view);
  const scored = ({ name, found }: NamedCandidate) => `${name} (${scoreText(measure, meanTest(found.finalists))})`;
  const base = `${baseline} (${scoreText(measure, meanTest(record.baseline))})`;
  return clip(`Trained with it, ${adopted.map(scored).join(', ')} can replace ${base}, by test ${measure.name}.`, 1000);
}

/** Why the candidate that came closest is not adopted. */
function whyNone(view: TuningView): string {
  const { candidates, baseline } = view;
  const { name, found } = bestCandidate(view)!;
  const why = `${verdictWords[found.decision.verdict]}: ${oneLine(found.decision.reasons[0] ?? 'the record does not say why')}`;
  return candidates.length === 1
    ? clip(`${name} cannot replace ${baseline}: ${why}`, 1000)
    : clip(`None of ${candidates.length} variants can replace ${baseline}; ${name} comes closest. ${sentenceCase(why)}`, 1000);
}

function standingOf({ candidates }: StoredTuningRecord): Standing {
  const verdicts = new Set(candidates.map(({ decision }) => decision.verdict));
  if (verdicts.has('adopt')) return 'good';
  if (verdicts.has('tune-first')) return 'unsure';
  return verdicts.has('reject') ? 'bad' : 'plain';
}

/** What must be known before the scores are believed. */
function alertsOf({ record, measure, baseline }: TuningView): string[] {
  const alerts: string[] = [];
  const broken = trained(record).filter(({ finished }) => diverged(finished)).length;
  if (broken > 0)
    alerts.push(
      `${broken} ${broken === 1 ? 'training run' : 'training runs'} diverged (the loss was not finite) and ${broken === 1 ? 'has' : 'have'} no score.`,
    );
  const base = meanTest(record.baseline);
  const { chance } = measure;
  if (measure.name === 'accuracy' && base !== null && chance !== undefined && base < (1 + chance) / 2)
    alerts.push(
      `The baseline ${baseline} did not learn the task: it scores ${measure.text(base)}, and chance is ${measure.text(chance)}. Differences from it mean little.`,
    );
  if (record.baseline.length < 3)
    alerts.push(
      `${digits(record.baseline.length)} ${record.baseline.length === 1 ? 'seed' : 'seeds'}: too few to estimate how much training runs vary.`,
    );
  return alerts;
}
