import type { Outcome, Verdict } from '../contract/verdict.ts';
import { hostLine } from '../verdict/host-line.ts';
import { failsByItself } from '../verdict/standing.ts';
import { clip, sentenceCase } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { labelsOf, warningsOf } from '../verdict/wording.ts';
import { methodsSection, reproduceSection } from './closing-sections.ts';
import { reportSchemaName } from './document.ts';
import type { Report, Standing } from './document.ts';
import { hostSection, noiseAlerts } from './host-section.ts';
import { comparisonTiles } from './tiles.ts';
import { blocksSection } from './verdict/blocks-section.ts';
import { changesSection } from './verdict/changes-section.ts';

/** How an outcome reads at a glance. */
export const standings: Readonly<Record<Outcome, Standing>> = {
  pass: 'good',
  improvement: 'good',
  regression: 'bad',
  error: 'bad',
  inconclusive: 'unsure',
  incomplete: 'unsure',
  incomparable: 'unsure',
  refused: 'unsure',
};

/** What an outcome that is no figure means, before the figures are read. */
const remarks: Partial<Record<Outcome, string>> = {
  incomplete: 'Incomplete: some declared comparisons could not be measured. The others are shown.',
  incomparable:
    'Incomparable: the base was measured on another host or configuration, so its times and memory are not compared. Figures that carry across machines are.',
  refused: 'Refused: a margin is smaller than the noise of this host allows.',
  error: 'Some measurements failed. The others are shown.',
};

/** The report of an A/B, a gate or a calibration. */
export function verdictReport(verdict: Verdict): Report {
  const { kind, name, summary, outcome, comparisons, base, seed, tool, exitCode, startedAt, endedAt, host, command } = verdict;
  const labels = labelsOf(comparisons);
  const present = [...new Set([outcome, ...comparisons.map((comparison) => comparison.outcome)])];
  const blocks = blocksSection(comparisons, labels);
  const titles = { ab: 'A against B', gate: 'Gate', calibration: 'Calibration' };
  return {
    schema: reportSchemaName,
    kind,
    title: `${titles[kind]}: ${clip(oneLine(name), 300)}`,
    verdict: sentenceCase(outcome),
    standing: standings[outcome],
    tiles: kind === 'calibration' ? [] : comparisonTiles(comparisons),
    answer: clip(oneLine(summary), 2000),
    alerts: [
      ...present.flatMap((each) => remarks[each] ?? []),
      ...(failsByItself(verdict) && comparisons.length === 0 ? ['Nothing was compared.'] : []),
      ...noiseAlerts(warningsOf(verdict)),
    ],
    facts: [
      { term: 'base', text: clip(oneLine(base), 500) },
      { term: 'measured', text: `${startedAt} to ${endedAt}` },
      { term: 'host', text: hostLine(host) },
      { term: 'comparisons', text: counts(comparisons.map((comparison) => comparison.outcome)) },
      { term: 'tool', text: `attnswap ${clip(oneLine(tool.version), 50)}, seed ${seed}, exit code ${exitCode}` },
    ],
    sections: [
      changesSection(comparisons),
      ...(blocks === undefined ? [] : [blocks]),
      hostSection(
        host,
        warningsOf(verdict),
        comparisons.flatMap((comparison) => comparison.blocks),
      ),
      methodsSection(['effect', 'outcomes', 'floor', 'latency', 'memory', 'waste', 'error']),
      reproduceSection([command]),
    ],
  };
}

function counts(outcomes: readonly Outcome[]): string {
  return outcomes.length === 0
    ? 'none'
    : [...Map.groupBy(outcomes, (outcome) => outcome)].map(([outcome, own]) => `${own.length} ${outcome}`).join(', ');
}
