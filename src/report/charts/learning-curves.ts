import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { panelHeader, titled } from './frame.ts';

/** One training: its score after each epoch. */
export interface LearningCurve {
  /** The panel that it is drawn in. */
  readonly panel: string;
  /** Unique within its panel. */
  readonly name: string;
  /** `context` lines are grey and lie behind; `control` lines are dashed. */
  readonly kind: 'context' | 'main' | 'control';
  /** `#rrggbb`; of `context` lines unused. */
  readonly colour: string;
  /** In order, all finite. */
  readonly points: readonly CurvePoint[];
}

export interface CurvePoint {
  /** Counted from 1. */
  readonly epoch: number;
  readonly score: number;
}

/** A word at the end of a panel's lines. */
interface LineLabel {
  readonly panel: string;
  readonly text: string;
  readonly kind: LearningCurve['kind'];
  readonly colour: string;
  readonly epoch: number;
  readonly score: number;
}

export interface LearningCurves {
  readonly title: string;
  /** With what is better. */
  readonly axis: string;
  readonly curves: readonly LearningCurve[];
  /** What each kind of line is called at its end. */
  readonly labels: Readonly<Record<LearningCurve['kind'], string>>;
  /** A grey line across, such as what guessing comes to. */
  readonly level?: number;
}

const height = 170;
const lineHeight = 13;

/** Scores over epochs, a panel each attention: one line a training, the baseline's in grey in every panel, each kind named at its end. */
export function learningCurvesChart(data: LearningCurves): ChartSpec {
  const panels = [...new Set(data.curves.map(({ panel }) => panel))];
  return {
    ...titled(data.title),
    data: { values: valuesOf(data, panels) },
    facet: { field: 'panel', type: 'nominal', title: null, header: panelHeader, sort: panels },
    columns: 2,
    spacing: { row: 24, column: 74 },
    spec: { width: 88, height, layer: layersOf(data) },
    resolve: { axis: { y: 'independent' } },
  };
}

/** Points of lines, words at their ends and the level, told apart by `mark`: panels are of one list of values. */
function valuesOf(data: LearningCurves, panels: readonly string[]): object[] {
  const { curves, labels, level } = data;
  const domain = domainOf(data);
  const lines = curves.flatMap(({ points, ...curve }) =>
    points.map((point) => ({ ...curve, ...point, colour: colourIn(curve), mark: 'curve' })),
  );
  const ends = panels.flatMap((panel) => endLabels({ panel, curves, labels, domain }));
  return [
    ...lines,
    ...ends.map((end) => ({ ...end, mark: 'label', colour: colourIn(end) })),
    ...(level === undefined ? [] : panels.map((panel) => ({ panel, score: level, epoch: 1, mark: 'level' }))),
  ];
}

function layersOf(data: LearningCurves): object[] {
  const last = data.curves.reduce((most, { points }) => Math.max(most, points.at(-1)?.epoch ?? 0), 2);
  const x = {
    field: 'epoch',
    type: 'quantitative',
    title: 'epoch',
    scale: { domain: [1, last], nice: false },
    axis: { format: 'd', tickMinStep: 1, tickCount: 5, grid: false },
  };
  const y = {
    field: 'score',
    type: 'quantitative',
    title: data.axis,
    scale: { domain: domainOf(data), nice: false, zero: false },
    axis: { tickCount: 5 },
  };
  const color = { field: 'colour', type: 'nominal', scale: null, legend: null };
  const only = (mark: string) => ({ transform: [{ filter: `datum.mark === '${mark}'` }] });
  const dashed = {
    domain: ['context', 'main', 'control'],
    range: [
      [1, 0],
      [1, 0],
      [5, 3],
    ],
  };
  const strokeDash = { field: 'kind', type: 'nominal', legend: null, scale: dashed };
  const rule = { type: 'rule', color: lightTheme.muted, strokeDash: [2, 3], strokeWidth: 1, aria: false };
  const text = { field: 'text', type: 'nominal' };
  return [
    { ...only('level'), mark: rule, encoding: { y } },
    {
      ...only('curve'),
      mark: { type: 'line', strokeWidth: 1.6, aria: false },
      encoding: { x, y, color, strokeDash, detail: { field: 'name' } },
    },
    {
      ...only('curve'),
      mark: { type: 'point', filled: true, size: last > 40 ? 5 : 16, opacity: 1, aria: false },
      encoding: { x, y, color },
    },
    { ...only('label'), mark: { type: 'text', align: 'left', dx: 7, aria: false }, encoding: { x, y, color, text } },
  ];
}

function colourIn({ kind, colour }: Pick<LearningCurve, 'kind' | 'colour'>): string {
  return kind === 'context' ? lightTheme.muted : colour;
}

/** Of all panels, with a little room at both ends. */
function domainOf({ curves, level }: LearningCurves): [number, number] {
  const scores = [...curves.flatMap(({ points }) => points.map(({ score }) => score)), ...(level === undefined ? [] : [level])];
  const low = scores.reduce((least, score) => Math.min(least, score), Infinity);
  const high = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  if (low > high) return [0, 1];
  const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 0.05;
  return [low - room, high + room];
}

/** Where the middle one of some lines ends; the label stands right of the longest. */
function middleEnd(curves: readonly LearningCurve[]): { score: number; epoch: number } {
  const ends = curves.map(({ points }) => points.at(-1)!.score).toSorted((a, b) => a - b);
  return { score: ends[Math.floor(ends.length / 2)]!, epoch: Math.max(...curves.map(({ points }) => points.at(-1)!.epoch)) };
}

interface Panel extends Pick<LearningCurves, 'curves' | 'labels'> {
  readonly panel: string;
  readonly domain: readonly [number, number];
}

/** A label for each kind of line in a panel, beside the end of its middle line, moved apart where two would lie on each other. */
function endLabels({ panel, curves, labels, domain }: Panel): LineLabel[] {
  const kinds = (['main', 'control', 'context'] as const).flatMap((kind) => {
    const own = curves.filter((curve) => curve.panel === panel && curve.kind === kind && curve.points.length > 0);
    if (own.length === 0) return [];
    const { score, epoch } = middleEnd(own);
    return [{ panel, kind, colour: own[0]!.colour, text: labels[kind], epoch, score }];
  });
  const apart = ((domain[1] - domain[0]) * lineHeight) / height;
  const sorted = kinds.toSorted((a, b) => b.score - a.score);
  let above = Infinity;
  return sorted.map((label) => {
    above = Math.min(label.score, above - apart);
    return { ...label, score: above };
  });
}
