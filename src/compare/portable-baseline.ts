import { z } from 'zod';
import type { CellRecord } from '../contract/cell.ts';
import type { Metric } from '../contract/verdict.ts';
import { varies } from '../decide/rule.ts';
import { kernelName, sameSetting, withoutLength } from '../measure/plan-cells.ts';
import { median } from '../statistics/order-statistics.ts';
import type { Baseline } from './baseline.ts';
import { figureOf, growthId, growthOf } from './figures-of.ts';
import { portableMetrics } from './portable-schema.ts';
import type { Portable } from './portable-schema.ts';

const hostSchema = z.object({
  fingerprint: z.object({ identity: z.object({ cpu: z.string(), availableCores: z.int(), system: z.string() }) }),
});

/** What of a baseline carries to any machine: its figures alone, small enough to be committed and read in a review. */
export function portableOf(baseline: Baseline): Baseline {
  const { schema, name, fingerprint, runs } = baseline;
  const { run, promotedAt, by, reason } = runs.at(-1)!;
  const { cpu, availableCores, system } = hostSchema.parse(run.host).fingerprint.identity;
  const figures: Portable['figures'] = {};
  const set = (id: string, metric: (typeof portableMetrics)[number], values: ReadonlyArray<number | null | undefined>) => {
    const known = values.filter((value) => typeof value === 'number');
    if (known.length > 0) figures[id] = { ...figures[id], [metric]: varies(metric) ? Number(median(known).toPrecision(3)) : median(known) };
  };
  for (const cell of run.cells)
    for (const metric of portableMetrics)
      if (metric !== 'memory-growth')
        set(
          cell.id,
          metric,
          runs.map(({ run: { cells, suite } }) => figureIn(cells, cell.id, metric, suite.reference)),
        );
  for (const alike of Map.groupBy(run.cells, withoutLength).values())
    set(
      growthId(alike),
      'memory-growth',
      runs.map(({ run: { cells } }) => growthOf(alike.map(({ id }) => cells.find((cell) => cell.id === id)))),
    );
  const { suite, tool, declared } = run;
  const portable: Portable = {
    suite: { name: suite.name, sha256: suite.sha256 },
    tool: tool.version,
    host: { cpu, availableCores, system },
    promotedAt,
    by,
    reason,
    runs: runs.length,
    declared,
    figures,
  };
  return { schema, name, fingerprint, runs: [], portable };
}

function figureIn(cells: readonly CellRecord[], id: string, metric: Metric, reference: string): number | null | undefined {
  const cell = cells.find((each) => each.id === id);
  const base = cells.find(
    (each) => cell !== undefined && kernelName({ cell: each }) === reference && sameSetting({ cell: each }, { cell }),
  );
  return cell === base && metric === 'ratio-to-reference' ? undefined : figureOf(metric, cell, base);
}
