import type { CellRecord } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import { markNotes, nameOf, peakOf, settingOf, speedUp, steadyMark, wasteOf } from '../report/cell-facts.ts';
import { sideBySide } from './side-by-side.ts';
import { count, digits, factor, joules, percent, size, time } from '../text/figures.ts';
import { visible } from '../text/untrusted.ts';
import { table, wrapped } from '../text/layout.ts';

const heading = ['variant', 'latency', '±', 'speed-up', 'peak', 'scored', 'waste', 'missed', 'error'];

/** The run as text: one block a length, backend and inputs, every cell in it; then what needs saying about them. */
export function benchTable(run: RunRecord): string {
  const groups = Map.groupBy(run.cells, (cell) => settingOf(cell, { length: true }));
  const blocks = [...groups].map(
    ([title, cells]) => `${visible(title)}\n${table([heading, ...cells.map((cell) => line(cell, cells, run.suite.reference))])}`,
  );
  return [...blocks, ...sideBySide(run), ...notes(run)].join('\n\n');
}

function line(cell: CellRecord, group: readonly CellRecord[], reference: string): string[] {
  const { latency, work, error } = cell;
  if (cell.status !== 'ok' || latency === undefined)
    return [nameOf(cell), cell.status, '', '', '', '', '', '', error === undefined ? '' : digits(error.relative)];
  const { waste, missed } = wasteOf(cell);
  const peak = peakOf(cell);
  const ratio = speedUp(cell, group, reference);
  const reach = Math.max(latency.ciNs.high - latency.medianNs, latency.medianNs - latency.ciNs.low) / latency.medianNs;
  return [
    nameOf(cell) + steadyMark(latency.warmup.steady),
    time(latency.medianNs),
    percent(reach),
    ratio === null ? '–' : factor(ratio),
    peak === undefined ? '–' : size(peak),
    work === undefined ? '–' : count(work.scoredPairs),
    waste === null ? '–' : percent(waste),
    missed === null ? '–' : percent(missed),
    error === undefined ? '–' : digits(error.relative),
  ];
}

function notes(run: RunRecord): string[] {
  const lines = [
    wrapped(`speed-up: relative to ${run.suite.reference} in the same table. peak: memory beyond the inputs.`),
    'waste: share of scored pairs beyond the smallest sets of keys that hold 95 % of the weight.',
    'missed: dense attention’s mass on keys that the variant does not see.',
  ];
  lines.push(...markNotes(run.cells.flatMap(({ latency }) => (latency === undefined ? [] : [latency.warmup.steady]))));
  const methods = new Set(
    run.cells.flatMap(({ backend, memory }) => (memory?.deviceMethod ? [`${backend} by ${memory.deviceMethod}`] : [])),
  );
  if (methods.size > 0) lines.push(`device peak memory: ${[...methods].map((text) => visible(text)).join(', ')}.`);
  lines.push(...energyNotes(run));
  const flags = new Map<string, Set<string>>();
  for (const cell of run.cells)
    for (const flag of cell.dispatch?.flags ?? [])
      flags.set(nameOf(cell), (flags.get(nameOf(cell)) ?? new Set()).add(flag.replace(/ \(.*/, '')));
  for (const [name, texts] of flags) lines.push(`${name}: ${[...texts].join('; ')}.`);
  for (const cell of run.cells.filter(({ status }) => status !== 'ok'))
    lines.push(`${cell.status}: ${visible(cell.id)}: ${visible(cell.reason ?? '')}`);
  lines.push(...rankingFlips(run));
  const left = run.declared.length - run.cells.length;
  if (left > 0) lines.push(`${left} of ${run.declared.length} cells were not measured; continue with --resume.`);
  return [lines.join('\n')];
}

/** One line a cell and counter: energy is measured where it is asked for, and few machines have counters. Each reason is said once. */
function energyNotes({ cells }: RunRecord): string[] {
  const lines = cells.flatMap((cell) => {
    if (cell.energy === undefined) return [];
    const { device } = cell.energy;
    return [{ counter: 'processor packages', ...cell.energy }, ...(device === undefined ? [] : [device])].map((energy) => {
      if ('unavailable' in energy) return `${visible(energy.counter)}: not measured: ${visible(energy.unavailable)}.`;
      const { counter, aboveIdleJoules, grossJoules, idleWatts, blocks } = energy;
      const [above, gross] = [aboveIdleJoules, grossJoules].map(
        ({ mean, low, high }) => `${joules(mean)} [${joules(low)}, ${joules(high)}]`,
      );
      const name = `${nameOf(cell)} at ${cell.shape.keys} on ${cell.backend}`;
      return `${visible(counter)}: ${visible(name)}: ${above} per call above idle, ${gross} gross (idle ${digits(idleWatts)} W, ${blocks} blocks).`;
    });
  });
  return [...new Set(lines)];
}

/** Where two kinds of inputs order the variants differently: cells alike but for their inputs, ranked by the figure. */
function rankingFlips(run: RunRecord): string[] {
  const alike = Map.groupBy(run.cells, ({ backend, shape, pass, seed }) => JSON.stringify([backend, shape, pass, seed]));
  return [...alike.values()].flatMap((cells) => {
    const kinds = [...Map.groupBy(cells, ({ inputs }) => inputs)];
    return [...kinds.entries()].slice(1).flatMap(([, kind]) => flipsBetween(kinds[0]!, kind));
  });
}

function flipsBetween([first, firstCells]: [string, CellRecord[]], [second, secondCells]: [string, CellRecord[]]): string[] {
  const figures: Array<[string, (cell: CellRecord) => number | null | undefined]> = [
    ['latency', (cell) => cell.latency?.medianNs],
    ['waste', (cell) => wasteOf(cell).waste],
    ['missed mass', (cell) => wasteOf(cell).missed],
  ];
  return figures.flatMap(([figure, read]) => {
    const ranks = [ranking(firstCells, read), ranking(secondCells, read)] as const;
    const moved = ranks[0].filter((name) => ranks[1].includes(name) && ranks[0].indexOf(name) !== ranks[1].indexOf(name));
    const places = moved.map((name) => `${name} ${ranks[0].indexOf(name) + 1} → ${ranks[1].indexOf(name) + 1}`);
    return places.length === 0 ? [] : [`rank by ${figure}, ${visible(first)} → ${visible(second)}: ${places.join(', ')}.`];
  });
}

/** Names in rising order of a figure to two digits; equal figures keep the suite's order. */
function ranking(cells: readonly CellRecord[], read: (cell: CellRecord) => number | null | undefined): string[] {
  const known = cells.flatMap((cell) => {
    const value = read(cell);
    return value === null || value === undefined ? [] : [{ name: nameOf(cell), value: Number(value.toPrecision(2)) }];
  });
  return known.toSorted((a, b) => a.value - b.value).map(({ name }) => name);
}
