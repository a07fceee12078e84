import type { WhatIfRecord } from '../operations/whatif.ts';
import { count, digits, time } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';
import { visible } from '../text/untrusted.ts';

/** Predictions as a table that begins and ends with what they are: arithmetic. */
export function whatifText({ device, shape, predicted }: WhatIfRecord): string {
  const { batch, heads, headDim, dtype, causal } = shape;
  const rows = predicted.map(({ variant, length, work, computeNs, memoryNs, leastNs, limitedBy, cycles, overDense }) => [
    variant,
    `${length}`,
    time(leastNs),
    limitedBy,
    time(computeNs),
    time(memoryNs),
    ...(cycles === null ? [] : [count(cycles)]),
    digits(overDense),
    count(work.flops),
    count(work.bytes),
  ]);
  const header = ['variant', 'tokens', 'at least', 'limit', 'arithmetic', 'traffic'];
  header.push(...(device.clockHz === undefined ? [] : ['cycles']), '× dense', 'FLOPs', 'bytes');
  return [
    'Arithmetic from declared peak rates, not a measurement. A kernel that does this work, with inputs and output in memory, is not\nfaster on this device; most are much slower.',
    `${visible(device.name)}: ${digits(device.flopsPerSecond[dtype]! / 1e12)} TFLOP/s in ${dtype}, ${digits(device.bytesPerSecond / 1e9)} GB/s; ${batch} × ${heads} heads × ${headDim}, ${causal ? 'causal' : 'full'}`,
    table([header, ...rows]),
    wrapped(
      'at least = max(FLOPs / peak FLOP/s, bytes / peak B/s). FLOPs: 2·headDim per scored and per weighted pair, and those of gates and means; exponentials, comparisons and selection are not counted. Bytes: inputs read once, output written once.',
    ),
    wrapped(`rates: ${visible(device.source)}`),
  ].join('\n\n');
}
