import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { frame, inRow, rowNames, rowPosition as y, rowsHeight } from './frame.ts';

/** What a model went through before it was scored. */
export const scoreStages = ['swapped', 'control', 'tuned'] as const;
export type ScoreStage = (typeof scoreStages)[number];

/** The test score of one model, one seed. */
export interface ScoreMark {
  readonly name: string;
  readonly stage: ScoreStage;
  /** `#rrggbb`. */
  readonly colour: string;
  readonly score: number;
  readonly label: string;
}

export interface ScoreLevels {
  readonly title: string;
  readonly axis: string;
  /** In order, one a row. */
  readonly marks: readonly ScoreMark[];
  /** The baseline's scores, one a seed: lines across all rows. */
  readonly baseline: readonly number[];
}

/** Scores of each attention before and after training, every seed a mark, between lines where the baseline's seeds lie. */
export function scoreLevelsChart({ title, axis, marks, baseline }: ScoreLevels): ChartSpec {
  const x = {
    field: 'score',
    type: 'quantitative',
    title: axis,
    scale: { zero: false, nice: true, padding: 16 },
    axis: { tickCount: 6 },
  } as const;
  const color = { field: 'colour', type: 'nominal', scale: null, legend: null } as const;
  const names = marks.map(({ name }) => name);
  return {
    ...frame(title),
    height: rowsHeight(names),
    layer: [
      {
        data: { values: baseline.map((score) => ({ score })) },
        mark: { type: 'rule', color: lightTheme.muted, strokeWidth: 1.2, strokeDash: [4, 3], aria: false },
        encoding: { x },
      },
      ...rowNames(names),
      {
        data: { values: [...marks] },
        mark: { type: 'point', size: 90, strokeWidth: 2, opacity: 1, ...inRow },
        encoding: {
          x,
          y,
          stroke: color,
          fill: {
            condition: { test: "datum.stage === 'tuned'", field: 'colour', type: 'nominal', scale: null, legend: null },
            value: 'transparent',
          },
          shape: {
            field: 'stage',
            type: 'nominal',
            title: null,
            scale: { domain: [...scoreStages], range: ['circle', 'cross', 'diamond'] },
            legend: { symbolStrokeColor: lightTheme.ink, symbolFillColor: 'transparent' },
          },
          description: { field: 'label' },
        },
      },
    ],
  };
}
