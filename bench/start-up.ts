import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { readSuite } from '../src/contract/suite.ts';
import { armOf, checkoutOf } from '../src/measure/arm.ts';
import type { CellArm } from '../src/measure/arm.ts';
import { cpuTimeNs } from '../src/measure/cpu-time.ts';
import { handOn } from '../src/measure/hand-on.ts';
import { pairProtocol } from '../src/measure/pair-messages.ts';
import type { PairAnswer, PairQuestion } from '../src/measure/pair-messages.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { scratchFolder } from '../src/measure/process-group.ts';
import { medianAbsoluteDeviation, median } from '../src/statistics/order-statistics.ts';

// What a worker of a pair costs before its first timed call: CPU time of all its threads from its start until it is prepared, in this checkout and, in
// turns, in others. The first worker makes what the others read. On Linux: `npm run bench:start-up -- [--workers 20] [--variant dense.fused] [--length 640]
// [FOLDER …]`
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: '20' },
    variant: { type: 'string', default: 'dense.fused' },
    length: { type: 'string', default: '640' },
  },
});
const matrix = { variants: [values.variant], backends: ['onnx-cpu'], lengths: [Number(values.length)] };
const [plan] = await planCells(readSuite({ name: 'start', matrix }, 'start'), adapters);
const checkouts = ['.', ...positionals].map((folder) => ({ folder, arm: armOf(plan!, checkoutOf(folder)), milliseconds: [] as number[] }));

/** CPU time until the worker is prepared, milliseconds. */
async function prepare({ worker, cwd, request }: CellArm): Promise<number> {
  const scratch = await scratchFolder();
  const env = { ...process.env, ...scratch.env, ...(await handOn(worker)) };
  const child = fork(worker, { execArgv: ['--expose-gc'], serialization: 'advanced', cwd, env });
  const question: PairQuestion = { ask: 'prepare', protocol: pairProtocol, request, judgedRows: 4 };
  child.send(question);
  const [answer] = (await once(child, 'message')) as [PairAnswer];
  child.kill('SIGSTOP');
  const ns = cpuTimeNs(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await scratch.remove();
  if (answer.answer !== 'prepared' || ns === undefined) throw new Error(`not measured: ${JSON.stringify(answer)}`);
  return ns / 1e6;
}

for (const { arm, milliseconds } of checkouts) milliseconds.push(await prepare(arm));
for (let round = 0; round < Number(values.workers); round++)
  for (const { arm, milliseconds } of round % 2 === 0 ? checkouts : checkouts.toReversed()) milliseconds.push(await prepare(arm));
for (const { folder, milliseconds } of checkouts) {
  const [first = 0, ...others] = milliseconds;
  const spread = medianAbsoluteDeviation(others).toFixed(0);
  console.log(
    `${folder}: the first worker ${first.toFixed(0)} ms, the others ${median(others).toFixed(0)} ± ${spread} ms (median and MAD)`,
  );
}
