import { fingerprintOf } from '../../compare/baseline.ts';
import type { Figures } from './figures.ts';
import { gaugesOf } from './gauges.ts';

/**
 * OpenMetrics 1.0 text: a gauge for each measure, and for the ends of its interval. No sample has a time: `attnswap_record_started` says when.
 * `attnswap_record_info` is a gauge, too, so that parsers of Prometheus's older text format, such as the Pushgateway's, read it all.
 */
export function openMetrics(record: Figures): string {
  const shared = { record: record.name };
  const about = { ...shared, version: record.version, fingerprint: fingerprintOf(record).slice(0, 12) };
  const started = 'attnswap_record_started_timestamp_seconds';
  return [
    '# TYPE attnswap_record_info gauge',
    '# HELP attnswap_record_info What was measured, and on which host.',
    `attnswap_record_info${labelled(about)} 1`,
    `# TYPE ${started} gauge`,
    `# UNIT ${started} seconds`,
    `# HELP ${started} When the measurement began, in seconds since 1970.`,
    `${started}${labelled(shared)} ${Date.parse(record.startedAt) / 1000}`,
    ...gaugesOf(record).flatMap(({ name, unit, help, samples }) => {
      const full = ['attnswap', ...name, unit].join('_');
      const lines = samples.map(({ labels, value }) => `${full}${labelled(labels)} ${value}`);
      return [`# TYPE ${full} gauge`, `# UNIT ${full} ${unit}`, `# HELP ${full} ${help}`, ...lines];
    }),
    '# EOF',
    '',
  ].join('\n');
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const escape = (text: string) =>
    text
      .replaceAll('\\', '\\\\')
      .replaceAll('"', String.raw`\"`)
      .replaceAll('\n', String.raw`\n`);
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join()}}`;
}
