import type { ChartSpec } from '../document.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame, inRow, rowNames, rowPosition, rowsHeight } from './frame.ts';

export interface SampleMark {
  readonly name: string;
  readonly series: string;
  /** The sample over its cell's median. */
  readonly ratio: number;
}

/** Every sample as a tick, over its cell's median: width is spread, a second heap is a second mode, and ticks far right are slow calls. */
export function samplesChart({
  title,
  series,
  samples,
}: {
  title: string;
  series: readonly Series[];
  samples: readonly SampleMark[];
}): ChartSpec {
  const names = samples.map(({ name }) => name);
  return {
    ...frame(title),
    height: rowsHeight(names),
    layer: [
      ...rowNames(names),
      {
        data: { values: [...samples] },
        mark: { type: 'tick', thickness: 1.5, opacity: 0.45, size: 14, ...inRow, aria: false },
        encoding: {
          y: rowPosition,
          x: {
            field: 'ratio',
            type: 'quantitative',
            title: 'sample / median of its cell',
            scale: { type: 'log', nice: false, padding: 10 },
            axis: { format: '.2~f', tickCount: 6 },
          },
          color: { ...encodeSeries(series).color, legend: null },
        },
      },
    ],
  };
}
