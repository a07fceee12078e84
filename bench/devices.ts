import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { armOf } from '../src/measure/arm.ts';
import { visitsOf } from '../src/measure/pair-block.ts';
import type { Visits } from '../src/measure/pair-block.ts';
import { pairProtocol } from '../src/measure/pair-messages.ts';
import { startResident } from '../src/measure/resident.ts';
import type { Resident } from '../src/measure/resident.ts';
import { planCell } from '../src/operations/ab.ts';
import { meanInterval } from '../src/statistics/student.ts';
import { digits, time } from '../src/text/figures.ts';

// Dense attention and each variant on the runtimes of this machine, in one run: every cell of a length in a process of its own, all of them
// resident and one active at a time, in rounds whose order turns. Ratios are taken within a round. `--write` puts the tables into
// docs/devices.md. `npm run bench:devices -- --lengths 512,4096 --seconds 20`, on a quiet machine.
const { values: given } = parseArgs({
  options: {
    lengths: { type: 'string', default: '512,1024,2048,4096' },
    /** Of sampling, per length; three rounds at least. */
    seconds: { type: 'string', default: '30' },
    threads: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const runtimes = ['onnx-cpu', 'ort-cpu', 'openvino-cpu', 'torch-cpu', 'tfjs-wasm'] as const;
const kernels = ['dense', 'topk:k=32', 'window:w=256', 'gated:block=64,sparsity=0.4', 'hierarchical', 'block-topk', 'linear'] as const;
const [fewestRounds, mostRounds, judgedRows] = [3, 15, 64];

interface Cell {
  readonly kernel: string;
  readonly backend: string;
  readonly resident: Resident;
  readonly visit: Visits;
  readonly roundsNs: number[];
}

async function statuses(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const backend of runtimes) {
    const status = await (await adapters.find(({ backends }) => backends.includes(backend))!.load()).status(backend);
    if (!status.available) {
      console.error(`left out: ${backend}: ${status.reason}`);
      continue;
    }
    const threads = String(given.threads ?? status.threads ?? 'unknown');
    found.set(backend, `${status.version}, ${threads} ${threads === '1' ? 'thread' : 'threads'}`);
  }
  return found;
}

/** A cell judged and warm; else why it has no figure. */
async function start(kernel: string, backend: string, length: number): Promise<Cell | string> {
  const threads = given.threads === undefined ? undefined : Number(given.threads);
  const plan = await planCell(kernel, { length }, backend, adapters).catch((error: Error) => error.message);
  if (typeof plan === 'string') return plan;
  const arm = armOf(plan, undefined, threads);
  const resident = await startResident(arm, { timeoutSeconds: 120 });
  const prepared = await resident.ask({ ask: 'prepare', protocol: pairProtocol, request: arm.request, judgedRows }, 'prepared');
  const warm = prepared.answer === 'fault' ? prepared : await resident.ask({ ask: 'warm', capNs: 0.12e9 }, 'warm');
  if (warm.answer !== 'fault') return { kernel, backend, resident, visit: visitsOf(warm.callsPerSample * warm.callNs), roundsNs: [] };
  await resident.close();
  return warm.reason;
}

async function measure(cells: readonly Cell[]): Promise<void> {
  const end = Date.now() + 1000 * Number(given.seconds);
  for (let round = 0; round < mostRounds && (round < fewestRounds || Date.now() < end); round++) {
    const first = (7 * round) % cells.length;
    const turned = [...cells.slice(first), ...cells.slice(0, first)];
    for (const { resident, visit, roundsNs, kernel, backend } of round % 2 === 0 ? turned : turned.toReversed()) {
      const answer = await resident.ask({ ask: 'sample', dropped: visit.dropped, kept: visit.kept }, 'samples');
      if (answer.answer === 'fault') throw new Error(`${kernel} on ${backend}: ${answer.reason}`);
      roundsNs.push(answer.samplesNs.reduce((sum, ns) => sum + ns, 0) / answer.samplesNs.length);
    }
  }
}

/** `0.5 [0.48, 0.52]`: one cell's time over another's, with a 95 % interval over rounds. */
function ratio(cell: Cell, base: Cell): string {
  if (cell === base) return '1';
  const { mean, low, high } = meanInterval(
    cell.roundsNs.map((ns, round) => Math.log(ns / base.roundsNs[round]!)),
    0.025,
  );
  return `${digits(Math.exp(mean))} [${digits(Math.exp(low))}, ${digits(Math.exp(high))}]`;
}

const meanNs = ({ roundsNs }: Cell) => Math.exp(roundsNs.reduce((sum, ns) => sum + Math.log(ns), 0) / roundsNs.length);

/** The tables of one length: times over the fastest dense attention, and over the dense attention of the same runtime. */
function tables(length: number, found: ReadonlyMap<string, Cell | string>, backends: readonly string[]): string {
  const at = (kernel: string, backend: string) => found.get(`${kernel} ${backend}`)!;
  const dense = backends.map((backend) => at('dense', backend)).filter((cell) => typeof cell !== 'string');
  const best = dense.toSorted((a, b) => meanNs(a) - meanNs(b))[0];
  if (best === undefined) return `No dense attention could be measured at ${length} tokens.`;
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = (names: readonly string[], baseOf: (backend: string) => Cell | string) => [
    row(['kernel', ...backends.map((backend) => `\`${backend}\``)]),
    row(['---', ...backends.map(() => '---')]),
    ...names.map((kernel) =>
      row([
        `\`${kernel}\``,
        ...backends.map((backend) => {
          const [cell, base] = [at(kernel, backend), baseOf(backend)];
          return typeof cell === 'string' || typeof base === 'string' ? '–' : ratio(cell, base);
        }),
      ]),
    ),
  ];
  const rounds = best.roundsNs.length;
  return [
    `**${length} tokens**, ${rounds} rounds. Fastest dense attention: \`${best.backend}\`, ${time(meanNs(best))}. Latency relative to it:`,
    '',
    ...table(kernels, () => best),
    '',
    "Latency relative to the same runtime's own dense attention:",
    '',
    ...table(kernels.slice(1), (backend) => at('dense', backend)),
  ].join('\n');
}

const present = await statuses();
const parts = [
  `1 × 8 heads × 64, causal, f32, inputs \`calibrated\`; 95 % intervals over rounds. ${[...present].map(([backend, what]) => `\`${backend}\`: ${what}`).join('; ')}.`,
];
for (const length of given.lengths.split(',').map(Number)) {
  const found = new Map<string, Cell | string>();
  for (const kernel of kernels) {
    // Nothing is timed yet but how many calls make a sample.
    const add = async (backend: string) => {
      const cell = await start(kernel, backend, length);
      if (typeof cell === 'string') console.error(`${length} tokens: no ${kernel} on ${backend}: ${cell.slice(0, 200)}`);
      found.set(`${kernel} ${backend}`, cell);
    };
    await Promise.all([...present.keys()].map(add));
  }
  const cells = [...found.values()].filter((cell) => typeof cell !== 'string');
  try {
    await measure(cells);
  } finally {
    await Promise.all(cells.map(({ resident }) => resident.close()));
  }
  parts.push(tables(length, found, [...present.keys()]));
}
const text = parts.join('\n\n');
console.log(text);
if (given.write) {
  const path = fileURLToPath(new URL('../docs/devices.md', import.meta.url));
  const [begin, end] = ['<!-- table: npm run bench:devices -- --write -->', '<!-- end -->'] as const;
  const page = readFileSync(path, 'utf8');
  const [before = '', rest] = page.split(begin);
  if (rest === undefined) throw new Error(`${path} has no line ${begin}`);
  writeFileSync(path, `${before}${begin}\n${text}\n${end}${rest.slice(rest.indexOf(end) + end.length)}`);
}
