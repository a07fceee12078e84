import type { CellRecord } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import { nameOf, settingOf } from '../report/cell-facts.ts';
import { settingWithoutBackend } from '../report/comparison/pairing.ts';
import { formatVariant } from '../variants/index.ts';
import { factor, time } from '../text/figures.ts';
import { visible } from '../text/untrusted.ts';
import { table } from '../text/layout.ts';

const caution = 'Measured one after another, one process each. To judge differences below a third, use attnswap ab.';

/** What only the cells of several blocks of a run's table show together: backends, and element types. */
export function sideBySide(run: RunRecord): string[] {
  const timed = run.cells.filter(({ status, latency }) => status === 'ok' && latency !== undefined);
  return [...acrossBackends(timed), ...acrossDtypes(timed)];
}

/** The quickest kernel of each variant on each backend. */
function acrossBackends(cells: readonly CellRecord[]): string[] {
  const settings = Map.groupBy(cells, settingWithoutBackend);
  return [...settings].flatMap(([setting, alike]) => {
    const backends = [...new Set(alike.map(({ backend }) => backend))];
    if (backends.length < 2) return [];
    const variants = [...new Set(alike.map(variantOf))];
    const row = (backend: string) => [backend, ...variants.map((variant) => quickest(alike, backend, variant))];
    return [`fastest kernel of each variant · ${visible(setting)}\n${table([['backend', ...variants], ...backends.map(row)])}\n${caution}`];
  });
}

const variantOf = ({ variant: { name, params } }: CellRecord) => visible(formatVariant({ variant: name, parameters: params }));

function quickest(cells: readonly CellRecord[], backend: string, variant: string): string {
  const times = cells.filter((cell) => cell.backend === backend && variantOf(cell) === variant).map(({ latency }) => latency!.medianNs);
  return times.length === 0 ? '–' : time(Math.min(...times));
}

/** Each kernel in f32 and, beside it, how many times as fast it is in the other types. */
function acrossDtypes(cells: readonly CellRecord[]): string[] {
  const dtypes = [...new Set(cells.map(({ shape }) => shape.dtype))];
  if (dtypes.length < 2 || !dtypes.includes('f32')) return [];
  const others = dtypes.filter((dtype) => dtype !== 'f32');
  const alike = Map.groupBy(
    cells,
    (cell) => `${nameOf(cell)} · ${settingOf({ ...cell, shape: { ...cell.shape, dtype: 'f32' } }, { length: true })}`,
  );
  const rows = [...alike].flatMap(([name, kernel]) => {
    const medianOf = (dtype: string) => kernel.find(({ shape }) => shape.dtype === dtype)?.latency?.medianNs;
    const base = medianOf('f32');
    if (base === undefined || kernel.length < 2) return [];
    const speed = (dtype: string) => (medianOf(dtype) === undefined ? '–' : factor(base / medianOf(dtype)!));
    return [[visible(name).replace(' · f32', ''), time(base), ...others.map(speed)]];
  });
  return rows.length === 0 ? [] : [`element types\n${table([['kernel', 'f32', ...others], ...rows])}\n${caution}`];
}
