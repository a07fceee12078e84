import { percent, size, time } from '../../text/figures.ts';
import { changeText } from '../../verdict/wording.ts';
import { ratioOfMedians, ratioOfSizes } from '../comparison/ratio.ts';
import type { Tile } from '../document.ts';
import { emptyTile, plainTile } from '../tiles.ts';
import type { MeasuredCell } from './measured-cell.ts';

/** The fastest kernel beside the suite's reference at the same length and setting; alone where it is the reference. */
export function runTiles(fastest: MeasuredCell, reference: MeasuredCell | undefined): Tile[] {
  const base = reference?.medianNs === undefined || reference === fastest ? undefined : reference;
  const of = `${fastest.length} tokens, ${base === undefined ? fastest.name : `${base.name} → ${fastest.name}`}`;
  return [latencyTile(of, fastest, base), memoryTile(of, fastest, base), missedTile(of, fastest, base)];
}

function latencyTile(of: string, fastest: MeasuredCell, base: MeasuredCell | undefined): Tile {
  const ratio = base && ratioOfMedians(fastest.cell.latency!, base.cell.latency!);
  if (base === undefined || ratio === null || ratio === undefined) return plainTile('Latency', of, time(fastest.medianNs!));
  const { low, high } = ratio.interval ?? { low: ratio.value, high: ratio.value };
  const change = { estimate: ratio.value - 1, low: low - 1, high: high - 1 };
  return {
    ...plainTile('Latency', of, `${time(base.medianNs!)} → ${time(fastest.medianNs!)}`, 'one process each, not a paired comparison'),
    change: changeText({ ...change, confidence: 0.95 }),
    ...(ratio.interval !== null && { bar: { ...change, margin: null, marginText: '' } }),
  };
}

function memoryTile(of: string, { peakBytes }: MeasuredCell, base: MeasuredCell | undefined): Tile {
  if (peakBytes === undefined) return emptyTile('Peak memory', 'not measured');
  const ratio = ratioOfSizes(peakBytes, base?.peakBytes ?? null);
  if (ratio === null) return plainTile('Peak memory', of, size(peakBytes));
  const change = { estimate: ratio - 1, low: ratio - 1, high: ratio - 1, confidence: 1 };
  return { ...plainTile('Peak memory', of, `${size(base!.peakBytes!)} → ${size(peakBytes)}`), change: changeText(change) };
}

/** What a kernel leaves out of dense attention, as single kernels have no task. */
function missedTile(of: string, { waste }: MeasuredCell, base: MeasuredCell | undefined): Tile {
  const [missed, before] = [waste, base?.waste].map((report) => report?.overall.missedMass?.value);
  if (missed === undefined) return emptyTile('Quality', 'not measured');
  const figures = before === undefined ? percent(missed) : `${percent(before)} → ${percent(missed)}`;
  return plainTile('Quality', of, figures, 'share of dense attention that the kernel misses on these inputs');
}
