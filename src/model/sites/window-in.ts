import type { Span } from '../../contract/span.ts';
import { keptKeys } from './read-masks.ts';
import type { MaskReading } from './read-masks.ts';

/**
 * The window that masks in some runs are, padding aside; undefined where they are none. Both ends must be seen: keys right outside that other
 * queries see.
 */
export function windowIn(readings: readonly MaskReading[]): Span | undefined {
  let [left, right] = [-Infinity, -Infinity];
  for (const { position, row } of rowsOf(readings)) {
    if (!row.includes(1)) continue;
    left = Math.max(left, position - row.indexOf(1));
    right = Math.max(right, row.lastIndexOf(1) - position);
  }
  if (left < 0 || right < 0) return undefined;
  const window = { left, right };
  const ends = { left: false, right: false };
  for (const reading of readings) {
    const kept = keptKeys(reading, window);
    if (kept === undefined) return undefined;
    for (const { position, element } of rowsOf([reading])) {
      const isKept = (column: number) => column >= 0 && column < reading.sizes.keys && kept[element * reading.sizes.keys + column] === 1;
      ends.left ||= isKept(position - left - 1);
      ends.right ||= isKept(position + right + 1);
    }
  }
  return ends.left && ends.right ? window : undefined;
}

function* rowsOf(readings: readonly MaskReading[]) {
  for (const { allowed, rows, sizes } of readings)
    for (let at = 0; at < sizes.batch * rows.length; at++) {
      const position = rows[at % rows.length]! + sizes.keys - sizes.queries;
      yield { element: Math.floor(at / rows.length), position, row: allowed.subarray(at * sizes.keys, (at + 1) * sizes.keys) };
    }
}
