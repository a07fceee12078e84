import type { Baseline } from '../compare/baseline.ts';
import { nameOf } from '../report/cell-facts.ts';
import { median } from '../statistics/order-statistics.ts';
import { digits, percent, time } from '../text/figures.ts';
import { table } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';

/** What a baseline holds: its promotions, and each cell's median over its runs. */
export function baselineText(baseline: Baseline): string {
  if (baseline.portable !== undefined) return portableText(baseline.portable);
  return `${promotions(baseline)}\n\n${cells(baseline)}`;
}

function promotions({ runs }: Baseline): string {
  const rows = runs.map(({ promotedAt, by, reason, run }) => [
    promotedAt.slice(0, 16),
    run.startedAt.slice(0, 16),
    visible(by),
    visible(reason),
  ]);
  return table([['promoted', 'measured', 'by', 'why'], ...rows]);
}

function cells({ runs }: Baseline): string {
  const latest = runs.at(-1)!.run;
  const rows = latest.cells.map((cell) => {
    const medians = runs.flatMap(({ run }) => run.cells.find(({ id }) => id === cell.id)?.latency?.medianNs ?? []);
    const spread = medians.length < 2 ? '–' : percent((Math.max(...medians) - Math.min(...medians)) / median(medians));
    return [nameOf(cell), String(cell.shape.queries), cell.backend, time(median(medians)), spread, String(medians.length)];
  });
  return table([['cell', 'tokens', 'backend', 'median', 'range', 'runs'], ...rows]);
}

function portableText({ promotedAt, by, reason, runs, tool, host, figures }: NonNullable<Baseline['portable']>): string {
  const about = `${runs} runs on ${host.cpu}, ${host.availableCores} cores, ${host.system}; attnswap ${tool}; stored ${promotedAt.slice(0, 10)} by ${by}: ${reason}`;
  const rows = Object.entries(figures).flatMap(([cell, own]) =>
    Object.entries(own).map(([metric, value]) => [cell, metric, digits(value)]),
  );
  return `${visible(about)}\n\n${table([['cell', 'metric', 'figure'], ...rows.map((row) => row.map((text) => visible(text)))])}`;
}
