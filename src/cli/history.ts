import { fingerprintOf } from '../compare/baseline.ts';
import type { RunRecord } from '../contract/run.ts';
import { loadRun } from '../measure/run-store.ts';
import { changePoints } from '../statistics/change-points.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { digits, time } from '../text/figures.ts';
import { printable } from './format.ts';
import { table } from '../text/layout.ts';

interface Change {
  readonly cell: string;
  readonly before: string;
  readonly after: string;
  readonly beforeNs: number;
  readonly afterNs: number;
  readonly change: number;
}

interface Series {
  readonly fingerprint: string;
  readonly runs: number;
  readonly changes: readonly Change[];
}

interface Loaded {
  readonly file: string;
  readonly run: RunRecord;
}

/** Where latency changed over stored runs, each host by itself, and between which two runs. */
export async function history(files: readonly string[], flags: CommonFlags): Promise<ExitCode> {
  const loaded: Loaded[] = [];
  for (const file of files) loaded.push({ file, run: await loadRun(file) });
  const series = [...Map.groupBy(loaded, ({ run }) => fingerprintOf(run))].map(([fingerprint, runs]) => seriesOf(fingerprint, runs));
  if (flags.json === true) printJson({ series });
  else print(series.map(describe).join('\n\n'));
  return exitCodes.pass;
}

function seriesOf(fingerprint: string, loaded: readonly Loaded[]): Series {
  const inOrder = loaded.toSorted((a, b) => a.run.startedAt.localeCompare(b.run.startedAt));
  const cells = [...new Set(inOrder.flatMap(({ run }) => run.cells.map(({ id }) => id)))];
  return { fingerprint, runs: loaded.length, changes: cells.flatMap((cell) => changesOf(cell, inOrder)) };
}

function changesOf(cell: string, loaded: readonly Loaded[]): Change[] {
  const points = loaded.flatMap(({ file, run }) => {
    const medianNs = run.cells.find(({ id }) => id === cell)?.latency?.medianNs;
    return medianNs === undefined ? [] : [{ file, startedAt: run.startedAt, medianNs }];
  });
  const { segments, changes } = changePoints(points.map(({ medianNs }) => Math.log(medianNs)));
  const nameOf = (index: number) => `${points[index]!.startedAt.slice(0, 16)} ${points[index]!.file}`;
  return changes.map(({ before, after }, index) => {
    const [from, to] = [segments[index]!.level, segments[index + 1]!.level];
    const medians = { beforeNs: Math.exp(from), afterNs: Math.exp(to) };
    return { cell, before: nameOf(before), after: nameOf(after), ...medians, change: Math.expm1(to - from) };
  });
}

function describe({ fingerprint, runs, changes }: Series): string {
  const title = `host ${fingerprint.slice(0, 12) || 'unknown'}: ${runs} runs, ${changes.length} change${changes.length === 1 ? '' : 's'}`;
  if (changes.length === 0) return title;
  const rows = changes.map(({ cell, before, after, beforeNs, afterNs, change }) => [
    printable(cell),
    `${time(beforeNs)} → ${time(afterNs)}`,
    `${change > 0 ? '+' : '−'}${digits(Math.abs(100 * change))} %`,
    printable(before),
    printable(after),
  ]);
  return `${title}\n${table([['cell', 'latency', 'change', 'between', 'and'], ...rows])}`;
}
