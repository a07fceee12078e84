import type { Comparison, Verdict } from '../contract/verdict.ts';
import { hostLine } from './host-line.ts';
import { failsByItself, levelOf, worstFirst } from './standing.ts';
import { visible } from '../text/untrusted.ts';
import { measured, metricNames, outcomeText, warningsOf } from './wording.ts';

/** One test case: what JUnit's readers count, and its text. */
interface TestCase {
  readonly kind: 'pass' | 'failure' | 'error' | 'skipped';
  readonly name: string;
  readonly type: string;
  readonly seconds: number;
  readonly message: string;
  readonly details: string;
}

/** JUnit XML: one suite, one case a comparison, worst first. What a gate lets pass is a passing case with its reason in `system-out`. */
export function verdictJunit(verdict: Verdict): string {
  const cases = worstFirst(verdict.comparisons).map(caseOf);
  if (failsByItself(verdict)) cases.unshift(wholeOf(verdict));
  const count = (kind: TestCase['kind']) => cases.filter((each) => each.kind === kind).length;
  const seconds = cases.reduce((sum, each) => sum + each.seconds, 0);
  const totals = {
    tests: cases.length,
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
    time: fixed(seconds),
  };
  const classname = `attnswap.${verdict.kind}.${verdict.name}`;
  const suite = { name: `attnswap ${verdict.kind} ${verdict.name}`, ...totals, timestamp: verdict.startedAt };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'attnswap', ...totals })}>`,
    `  <testsuite${attributes(suite)}>`,
    ...properties(verdict),
    ...cases.map((each) => caseXml(each, classname)),
    ...wholeOutput(verdict),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function caseOf(comparison: Comparison): TestCase {
  const { id, reason, metric, outcome, blocks } = comparison;
  const seconds = blocks.reduce((sum, { elapsedNs }) => sum + elapsedNs, 0) / 1e9;
  const message = `${metricNames[metric]}: ${outcomeText(comparison)}: ${reason}`;
  return { kind: kindOf(comparison), name: id, type: outcome, seconds, message, details: detailsOf(comparison) };
}

function kindOf(comparison: Comparison): TestCase['kind'] {
  if (!comparison.decides) return 'skipped';
  if (levelOf(comparison) === 'note' || levelOf(comparison) === 'none') return 'pass';
  return comparison.outcome === 'regression' || comparison.outcome === 'inconclusive' ? 'failure' : 'error';
}

function detailsOf(comparison: Comparison): string {
  const { name, reason, owner, warnings } = comparison;
  const lines = [
    `${name}, ${metricNames[comparison.metric]}: ${outcomeText(comparison)}`,
    reason,
    measured(comparison),
    owner === null ? '' : `owner: ${owner}`,
    ...warnings.map((text) => `warning: ${text}`),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** The verdict as a case of its own, where it fails by none of its comparisons. */
function wholeOf({ outcome, exitCode, summary }: Verdict): TestCase {
  return { kind: 'error', name: 'verdict', type: outcome, seconds: 0, message: summary, details: `${summary}\nexit code ${exitCode}` };
}

function caseXml({ kind, name, type, seconds, message, details }: TestCase, classname: string): string {
  const open = `    <testcase${attributes({ classname, name, time: fixed(seconds) })}>`;
  const body = {
    pass: `<system-out>${text(details)}</system-out>`,
    skipped: `<skipped${attributes({ message })}/>\n      <system-out>${text(details)}</system-out>`,
    failure: `<failure${attributes({ message, type })}>${text(details)}</failure>`,
    error: `<error${attributes({ message, type })}>${text(details)}</error>`,
  }[kind];
  return `${open}\n      ${body}\n    </testcase>`;
}

function properties({ tool, command, host, base, seed, outcome, exitCode, endedAt }: Verdict): string[] {
  const known = {
    version: tool.version,
    command: command.join(' '),
    host: hostLine(host),
    base,
    seed: String(seed),
    outcome,
    exitCode: String(exitCode),
    endedAt,
  };
  const lines = Object.entries(known).map(([name, value]) => `      <property${attributes({ name, value })}/>`);
  return ['    <properties>', ...lines, '    </properties>'];
}

function wholeOutput(verdict: Verdict): string[] {
  const lines = [verdict.summary, ...warningsOf(verdict).map((warning) => `warning: ${warning}`)];
  return [`    <system-out>${text(lines.join('\n'))}</system-out>`];
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${attribute(String(value))}"`)
    .join('');
}

/** XML text. XML 1.0 knows no way to write most control characters, so they are spelled out. */
function text(value: string): string {
  const known = visible(value.replaceAll(/\r\n?/g, '\n'), '\n\t');
  return known.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** An attribute's value: parsers turn a bare newline into a space, so it is a reference. */
function attribute(value: string): string {
  return text(value).replaceAll('"', '&quot;').replaceAll("'", '&apos;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;');
}

function fixed(seconds: number): string {
  return seconds.toFixed(3);
}
