import type { ChartSpec, Standing } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { dayAxis, frame, inRow, rowNames, rowPosition, rowsHeight } from './frame.ts';

/** What came of a gate at one time. */
export interface OutcomeMark {
  /** The gate. */
  readonly name: string;
  /** ISO 8601, in UTC. */
  readonly time: string;
  readonly standing: Standing;
  readonly label: string;
}

const looks: ReadonlyArray<readonly [standing: Standing, name: string, shape: string]> = [
  ['good', 'passed', 'circle'],
  ['bad', 'failed', 'cross'],
  ['unsure', 'undecided', 'diamond'],
];

/** Outcomes over time, a row for each gate: color and shape say which. */
export function outcomesChart({ title, marks }: { readonly title: string; readonly marks: readonly OutcomeMark[] }): ChartSpec {
  const times = marks.map(({ time }) => time);
  const names = marks.map(({ name }) => name);
  const values = marks.map((mark) => ({ ...mark, outcome: looks.find(([standing]) => standing === mark.standing)?.[1] ?? 'undecided' }));
  const field = { field: 'outcome', type: 'nominal', title: null, legend: { columns: 3 } } as const;
  const domain = looks.map(([, name]) => name);
  return {
    ...frame(title),
    height: rowsHeight(names),
    layer: [
      ...rowNames(names),
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 80, opacity: 1, ...inRow },
        encoding: {
          x: {
            field: 'time',
            type: 'temporal',
            title: null,
            scale: { type: 'utc', padding: 14 },
            axis: dayAxis(times),
          },
          y: rowPosition,
          color: { ...field, scale: { domain, range: looks.map(([standing]) => lightTheme.standing[standing]) } },
          shape: { ...field, scale: { domain, range: looks.map(([, , shape]) => shape) } },
          description: { field: 'label' },
        },
      },
    ],
  };
}
