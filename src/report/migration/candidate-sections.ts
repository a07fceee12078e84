import { meanOf } from '../../statistics/mean.ts';
import { digits, factor } from '../../text/figures.ts';
import { verdictCells } from '../../migration/decide.ts';
import type { StoredMigrationRecord } from '../../migration/record.ts';
import { untimedText } from '../../migration/untimed.ts';
import { clip, sentenceCase, shorten } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { changeText } from '../../verdict/wording.ts';
import { intervalChart } from '../charts/intervals.ts';
import { tradeOffChart } from '../charts/trade-off.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../document.ts';

export type CandidateRecord = NonNullable<StoredMigrationRecord['candidates']>[number];

const verdictStandings: Readonly<Record<CandidateRecord['decision']['verdict'], Standing>> = {
  adopt: 'good',
  'tune-first': 'unsure',
  reject: 'bad',
};

export const nameOf = (text: string) => shorten(oneLine(text), 60);

type Task = NonNullable<NonNullable<CandidateRecord['quality']>['task']>;

/** The interval that a task's judgement rests on, so that the picture agrees with the verdict. */
export const boundsOf = ({ oneSided, twoSided }: Task) => oneSided ?? twoSided;

/** What every candidate came to, and why. */
export function candidatesSection(candidates: readonly CandidateRecord[], record: StoredMigrationRecord): Section {
  const table: Table = {
    kind: 'table',
    title: `Candidates at ${record.settings.compareAt} tokens`,
    columns: [
      { title: 'candidate' },
      { title: 'verdict' },
      ...numeric('latency', 'peak memory', 'quality lost, in margins'),
      { title: 'front' },
      { title: 'why' },
    ],
    rows: candidates.map(({ name, latency, memory, quality, decision }) => [
      ...words(nameOf(name)),
      { text: verdictCells[decision.verdict], standing: verdictStandings[decision.verdict] },
      changeCell(latency),
      changeCell(memory),
      figureCell(quality?.judgement.marginsLost, digits),
      ...words(record.front.includes(name) ? 'yes' : ''),
      { text: clip(decision.reasons.map(oneLine).join(' '), 1200) },
    ]),
  };
  const lead =
    'Each candidate is the original model with other attention at some or all sites and nothing else changed. It is compared with the original in paired blocks of fresh processes.';
  const chart = frontChart(record, candidates);
  return { id: 'candidates', title: 'Candidates', lead, parts: [table, ...(chart === undefined ? [] : [chart])] };
}

export function changeCell(comparison: CandidateRecord['latency']): TableCell {
  return comparison?.effect ? { text: changeText(comparison.effect), value: comparison.effect.estimate } : { text: 'not timed' };
}

function frontChart({ standings, front }: StoredMigrationRecord, candidates: readonly CandidateRecord[]): Chart | undefined {
  if (standings.length === 0) return undefined;
  const points = [
    { series: 'original', x: 1, y: 0, size: 1, front: false, label: 'original' },
    ...standings.flatMap(({ name, loss, latency, memory }) =>
      loss === null
        ? []
        : [
            {
              series: nameOf(name),
              x: latency,
              y: loss,
              size: memory,
              front: front.includes(name),
              label: `${nameOf(name)}: latency ${factor(latency)}, memory ${factor(memory)}, quality loss of ${digits(loss)} margins`,
            },
          ],
    ),
  ];
  const beyond = standings.filter(({ loss }) => loss === null).map(({ name }) => nameOf(name));
  const series = points.map(({ series: name }) => ({
    name,
    variant: name === 'original' ? name : (/[a-z-]+/.exec(name.replace(/^\d+=/, ''))?.[0] ?? name),
  }));
  return {
    kind: 'chart',
    id: 'front',
    title: 'Quality lost against latency',
    summary: `Pareto front (quality, latency, memory): ${front.map(nameOf).join(', ') || 'none'}.${beyond.length === 0 ? '' : ` Not shown, because the quality loss cannot be measured: ${beyond.join(', ')}.`}`,
    spec: tradeOffChart({
      title: 'relative to the original; lower left is better',
      x: 'latency, new / original',
      y: 'quality lost, in margins',
      size: 'memory, new / original',
      logarithmicX: false,
      series,
      points,
    }),
    table: {
      kind: 'table',
      title: 'Front',
      columns: [
        { title: 'candidate' },
        ...numeric('latency', 'memory', 'quality lost, in margins'),
        { title: 'front' },
        { title: 'verdict' },
      ],
      rows: standings.map(({ name, loss, atMost, latency, memory }) => [
        ...words(nameOf(name)),
        figureCell(latency, factor),
        figureCell(memory, factor),
        loss === null ? { text: '∞' } : figureCell(loss, (value) => `${digits(value)}${atMost ? `, at most ${digits(atMost)}` : ''}`),
        ...words(front.includes(name) ? 'yes' : '', candidates.find((candidate) => candidate.name === name)?.decision.verdict ?? ''),
      ]),
    },
  };
}

/** Whether any candidate was judged on fewer items than there are. */
export function anyStopped(candidates: readonly CandidateRecord[]): boolean {
  return candidates.some(({ quality }) => {
    const counted = quality?.task ?? quality?.drift;
    return counted !== undefined && counted.items < (counted.of ?? counted.items);
  });
}

/** Task scores paired with the original's, where there is a task; the judgement of each candidate. */
export function qualitySection(candidates: readonly CandidateRecord[], { settings, metric, baseline }: StoredMigrationRecord): Section {
  const judged = candidates.filter(({ quality }) => quality !== null);
  const scored = judged.filter(({ quality }) => quality!.task !== null);
  const mean = baseline.scores === null || baseline.scores.length === 0 ? 1 : Math.abs(meanOf(baseline.scores));
  const limit = settings.qualityMargin * mean;
  const table: Table = {
    kind: 'table',
    title: 'Quality',
    columns: [
      { title: 'candidate' },
      { title: 'quality' },
      ...numeric('original', 'new', 'difference', 'from', 'to', 'items'),
      { title: 'why' },
    ],
    rows: judged.map(({ name, quality }) => {
      const { judgement, task } = quality!;
      const figures =
        task === null ? [null, null, null, null, null] : [task.base, task.new, task.difference, boundsOf(task).low, boundsOf(task).high];
      return [
        ...words(nameOf(name)),
        {
          text: judgement.outcome,
          standing:
            judgement.outcome === 'pass' ? ('good' as const) : judgement.outcome === 'regression' ? ('bad' as const) : ('unsure' as const),
        },
        ...figures.map((value) => figureCell(value, digits)),
        figureCell(task?.items ?? null, (items) => (items < (task?.of ?? items) ? `${items} of ${task?.of}` : `${items}`)),
        { text: clip(oneLine(judgement.reason), 800) },
      ];
    }),
  };
  const rows = scored.flatMap(({ name, quality }) => {
    const { difference } = quality!.task!;
    const { low, high } = boundsOf(quality!.task!);
    if (low === null || high === null) return [];
    const standing: Standing =
      quality!.judgement.outcome === 'pass' ? 'plain' : quality!.judgement.outcome === 'regression' ? 'bad' : 'unsure';
    return {
      name: nameOf(name),
      value: difference,
      ...{ low, high },
      standing,
      margin: -limit,
      label: `${nameOf(name)}: ${digits(difference)} (${digits(low)} to ${digits(high)})`,
    };
  });
  const chart: Chart = {
    kind: 'chart',
    id: 'quality-differences',
    title: `Difference in mean score: ${clip(oneLine(metric ?? 'score'), 200)}`,
    summary: `${rows.map(({ label }) => label).join('; ')}. The largest allowed loss is ${digits(limit)}.`,
    spec: intervalChart({
      title: 'new minus original, paired item by item; each end is a one-sided 95 % bound',
      axis: 'difference in mean score',
      rows,
      neutral: 0,
      format: '+.2~g',
    }),
    table,
  };
  const task =
    metric === null
      ? 'There is no task, so outputs are compared with the original’s.'
      : `Score: ${clip(oneLine(metric), 300)}; higher is better.`;
  return {
    id: 'quality',
    title: 'Quality',
    lead: `${task} The largest allowed loss is ${digits(100 * settings.qualityMargin)} %.`,
    parts: rows.length > 0 ? [chart] : [table],
  };
}

/** What tuning without training measured and chose. */
export function tuningSection(tuned: NonNullable<StoredMigrationRecord['tuned']>, { settings }: StoredMigrationRecord): Section {
  const { choices, search, budget, mended, untimed = [] } = tuned;
  const saving =
    settings.goal === 'latency' ? (value: number) => `${digits(1000 * value)} ms` : (value: number) => `${digits(value / 1e6)} MB`;
  const described = (assignment: readonly number[]) =>
    nameOf(assignment.map((choice, site) => `${site}=${choices[choice] ?? '?'}`).join(' '));
  const isBest = (assignment: readonly number[]) => assignment.join() === search.best.assignment.join();
  const table: Table = {
    kind: 'table',
    title: 'Pareto front of assignments (loss, saving)',
    columns: [{ title: 'attention by site' }, ...numeric('estimated saving', 'loss'), { title: 'within budget' }, { title: 'chosen' }],
    rows: search.front.map(({ assignment, saving: saved, loss }) => [
      ...words(described(assignment)),
      figureCell(saved, saving),
      loss === null ? { text: '∞' } : figureCell(loss, digits),
      ...words(loss !== null && loss <= budget ? 'yes' : 'no', isBest(assignment) ? 'chosen' : ''),
    ]),
  };
  const recalibrated = mended.map(
    ({ name, lossBefore, lossAfter, scaleFactor, norms }) =>
      `${nameOf(name)}: loss ${lossText(lossBefore)} → ${lossText(lossAfter)}; temperature ${scaleFactor === null ? 'unchanged' : `×${digits(scaleFactor)}`}, ${norms.length} norms recalibrated.`,
  );
  const lines = [...(untimed.length > 0 ? [`${sentenceCase(untimedText(untimed))}.`] : []), ...recalibrated];
  const lead = `${search.evaluations} assignments were evaluated for ${settings.goal}, with a loss budget of ${digits(budget)} on a separate set of calibration items. Savings are estimated from the kernels alone.`;
  return { id: 'tuning', title: 'Tuning', lead, parts: [table, ...(lines.length > 0 ? [{ kind: 'notes' as const, lines }] : [])] };
}

function lossText(loss: number | null): string {
  return loss === null ? '∞' : digits(loss);
}

/** That a swap touched nothing but attention. */
export function proofSection(candidates: readonly CandidateRecord[]): Section | undefined {
  const proven = candidates.filter(({ proof }) => proof !== null);
  if (proven.length === 0) return undefined;
  const ofModules = proven[0]!.proof!.of === 'modules';
  const titles = ofModules
    ? ['modules kept', 'added', 'removed', 'parameters and buffers kept']
    : ['nodes kept', 'nodes added', 'nodes removed', 'constants kept'];
  const table: Table = {
    kind: 'table',
    title: 'Proofs',
    columns: [{ title: 'candidate' }, ...numeric(...titles), { title: 'SHA-256 of everything kept' }],
    rows: proven.map(({ name, proof }) => [
      ...words(nameOf(name)),
      ...[proof!.nodesKept, proof!.nodesAdded, proof!.nodesRemoved.length, proof!.initializersKept].map((value) =>
        figureCell(value, String),
      ),
      ...words(clip(oneLine(proof!.sha256), 16)),
    ]),
  };
  const lead = ofModules
    ? 'Every module, parameter and buffer is the original’s, byte for byte. Only the attention that some modules call was replaced.'
    : 'Every node, constant, input and output that was kept is identical to the original’s, byte for byte and in the same order. Only what the old attention alone needed was removed.';
  return { id: 'proof', title: 'Proof that nothing else changed', lead, parts: [table] };
}
