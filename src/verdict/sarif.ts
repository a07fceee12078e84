import { createHash } from 'node:crypto';
import { metrics } from '../contract/verdict.ts';
import type { Comparison, Metric, Verdict } from '../contract/verdict.ts';
import { hostLine } from './host-line.ts';
import { nameSlug } from './name-slug.ts';
import { failsByItself, levelOf, worstFirst } from './standing.ts';
import { suiteUri } from './suite-uri.ts';
import { clip } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';
import { labelsOf, measured, metricNames, outcomeText, warningsOf } from './wording.ts';

const schemaUri = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** The rule of a verdict that fails by none of its comparisons. */
const wholeRule = 'verdict';

type Rule = Metric | typeof wholeRule;

const meanings: Readonly<Record<Rule, string>> = {
  latency: 'Time per attention call, compared in paired blocks of fresh processes.',
  'cpu-time': 'Time of all processors per attention call, idle threads asleep, compared in paired blocks of fresh processes.',
  'peak-memory': 'Memory that one attention call needs beyond its inputs.',
  'memory-growth': 'Factor by which peak memory grows when the length doubles: 2 for n, 4 for n².',
  waste: 'Share of scored pairs beyond the smallest sets of keys that hold 95 % of the weight.',
  error: 'Relative error against the float64 reference.',
  'scored-pairs': 'Query–key products that a kernel computes, including masked ones.',
  'ratio-to-reference': 'Time per attention call relative to the reference cell, measured in pairs.',
  quality: 'Score of a task, paired item by item.',
  [wholeRule]: 'The verdict as a whole.',
};

/**
 * SARIF 2.1.0: one run, a rule a metric, a result for every comparison that is neither a pass nor an improvement. A result lies in the
 * suite's file where the command names it, and always in its cell as a logical location. GitHub refuses uploads with results that lie
 * in no file.
 */
export function verdictSarif(verdict: Verdict): string {
  return `${JSON.stringify({ $schema: schemaUri, version: '2.1.0', runs: [runOf(verdict)] }, null, 1)}\n`;
}

function runOf(verdict: Verdict) {
  const comparisons = worstFirst(verdict.comparisons);
  const whole = failsByItself(verdict);
  const rules: Rule[] = metrics.filter((metric) => comparisons.some((comparison) => comparison.metric === metric));
  if (whole) rules.push(wholeRule);
  const uri = suiteUri(verdict);
  const labels = labelsOf(comparisons);
  const told = comparisons.filter((comparison) => levelOf(comparison) !== 'none');
  const { tool, kind, name, outcome, base, seed, host } = verdict;
  return {
    tool: { driver: { name: tool.name, version: tool.version, rules: rules.map(ruleOf) } },
    automationDetails: { id: `attnswap/${kind}/${nameSlug(name)}/` },
    columnKind: 'utf16CodeUnits',
    invocations: [invocationOf(verdict)],
    results: [
      ...(whole ? [wholeResult(verdict, rules, uri)] : []),
      ...told.map((comparison) => resultOf(comparison, { rules, uri, label: labels.get(comparison)! })),
    ],
    properties: { outcome, base, seed, host: hostLine(host) },
  };
}

function ruleOf(id: Rule) {
  const name = id === wholeRule ? 'verdict' : metricNames[id];
  return {
    id,
    name: name.replaceAll(/(?:^| )(\w)/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: `${name[0]!.toUpperCase()}${name.slice(1)} is worse than its gate allows, or could not be judged.` },
    fullDescription: { text: meanings[id] },
    help: { text: `${meanings[id]} The properties of a result contain its effect with an interval, and its margin.` },
    defaultConfiguration: { level: 'error' },
    properties: { tags: ['performance'] },
  };
}

function invocationOf(verdict: Verdict) {
  const { command, startedAt, endedAt, exitCode } = verdict;
  return {
    executionSuccessful: exitCode !== 5,
    exitCode,
    arguments: command,
    startTimeUtc: startedAt,
    endTimeUtc: endedAt,
    toolExecutionNotifications: warningsOf(verdict).map((text) => ({ level: 'warning', message: { text: message(text) } })),
  };
}

function resultOf(comparison: Comparison, at: { rules: readonly Rule[]; uri: string | undefined; label: string }) {
  const { id, metric, cell, name, reason } = comparison;
  const facts = [`${at.label}, ${metricNames[metric]}: ${outcomeText(comparison)}: ${reason}`, measured(comparison)];
  return {
    ruleId: metric,
    ruleIndex: at.rules.indexOf(metric),
    level: levelOf(comparison),
    message: { text: message(facts.filter((fact) => fact !== '').join('\n')) },
    locations: [{ ...inFile(at.uri), logicalLocations: [{ name: visible(name), fullyQualifiedName: visible(cell), kind: 'cell' }] }],
    partialFingerprints: fingerprints(id),
    properties: propertiesOf(comparison),
  };
}

function wholeResult({ kind, name, summary, outcome }: Verdict, rules: readonly Rule[], uri: string | undefined) {
  return {
    ruleId: wholeRule,
    ruleIndex: rules.indexOf(wholeRule),
    level: 'error',
    message: { text: message(summary) },
    locations: [{ ...inFile(uri), logicalLocations: [{ name: visible(name), fullyQualifiedName: visible(name), kind: 'suite' }] }],
    partialFingerprints: fingerprints(`${kind} ${name}`),
    properties: { outcome },
  };
}

function propertiesOf(comparison: Comparison) {
  const { outcome, base, unit, effect, margin, floor, direction, onInconclusive, owner, decides, minimumDetectableEffect } = comparison;
  const figures = { base, new: comparison.new, unit, effect, margin, floor, direction, minimumDetectableEffect };
  return { outcome, ...figures, blocks: comparison.blocks.length, decides, onInconclusive, owner, warnings: comparison.warnings };
}

function inFile(uri: string | undefined) {
  return uri === undefined ? {} : { physicalLocation: { artifactLocation: { uri }, region: { startLine: 1 } } };
}

/** By the comparison alone: cells of one suite share its file and line, and would otherwise be taken for one alert. */
function fingerprints(id: string) {
  return { primaryLocationLineHash: `${createHash('sha256').update(id.toWellFormed()).digest('hex').slice(0, 32)}:1` };
}

/** Text of a message, in which `[…](…)` would be a link and `{0}` a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6). */
function message(text: string): string {
  const known = clip(visible(text.replaceAll(/\r\n?/g, '\n'), '\n'), 4000);
  return known.replaceAll('](', '] (').replaceAll('{', '{{').replaceAll('}', '}}');
}
