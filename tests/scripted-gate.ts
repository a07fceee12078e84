import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AttnswapError } from '../src/contract/errors.ts';
import { readVerdict } from '../src/contract/verdict.ts';
import type { Verdict } from '../src/contract/verdict.ts';
import { saveBaseline } from '../src/operations/baseline.ts';
import { bench } from '../src/operations/bench.ts';
import { gate as judge } from '../src/operations/gate.ts';
import type { GateOptions } from '../src/operations/gate.ts';
import { verdictTable } from '../src/verdict/table.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

// Gates over a scripted adapter, which answers the reference and takes as long as it is told: what is tested is what decides, in real processes.
// Each exit code is seen of the command itself; beyond that the operation is called here.
export const adapter = fileURLToPath(new URL('./fixtures/scripted-adapter.ts', import.meta.url));
export const fast = ['--max-blocks', '3', '--block-seconds', '0.05', '--quiet'];
export const latencyGate = "{ metric: 'latency', margin: 0.5 }";
/** For what holds whatever is measured: no noise reaches its margin. */
export const wideGate = "{ metric: 'cpu-time', margin: 10 }";

export interface Given {
  readonly gates?: string;
  readonly variants?: readonly string[];
  readonly lengths?: string;
  readonly extra?: string;
  readonly backend?: string;
  /** What the new arm's adapter does. */
  readonly script?: object;
}

/** A folder with a suite over the scripted adapter. */
export function folder({
  gates = latencyGate,
  variants = ['dense'],
  lengths = '[16]',
  extra = '',
  backend = 'scripted',
  script,
}: Given = {}): string {
  const cwd = emptyFolder();
  writeSuite(join(cwd, 'my.suite.ts'), `gates: [${gates}],`, { variants, lengths, extra, backend });
  if (script !== undefined) writeFileSync(join(cwd, 'fault.json'), JSON.stringify(script));
  return cwd;
}

export function writeSuite(
  path: string,
  gates: string,
  given: { variants: readonly string[]; lengths: string; extra: string; backend: string },
): void {
  writeFileSync(
    path,
    `import { defineSuite } from 'attnswap';
export default defineSuite({
  name: 'mine', adapters: [${JSON.stringify(adapter)}], reference: 'dense.script',
  matrix: { variants: ${JSON.stringify(given.variants)}, backends: ['${given.backend}'], lengths: ${given.lengths}, heads: 1, headDim: 8, inputs: ['gaussian'] },
  sampleSeconds: 0.02, wasteRows: 4, ${gates} ${given.extra}
});
`,
  );
}

/** The command. */
export async function gateCommand(cwd: string, args: readonly string[] = []) {
  const result = await attnswap(['gate', './my.suite.ts', ...fast, '--out', 'verdict.json', ...args], { cwd });
  return { ...result, said: (result.stdout + result.stderr).replaceAll(/\s+/g, ' ') };
}

export const verdictOf = (cwd: string) => readVerdict(JSON.parse(readFileSync(join(cwd, 'verdict.json'), 'utf8')), 'verdict.json');

/** The operation, with the exit code that the command gives and what it says; `verdict` throws where there is none. */
export async function gate(cwd: string, options: Partial<GateOptions> = {}) {
  process.chdir(cwd);
  try {
    const reached = await judge({ suite: './my.suite.ts', maxBlocks: 3, blockSeconds: 0.05, ...options });
    const verdict = (): Verdict => readVerdict(JSON.parse(JSON.stringify(reached)), 'verdict');
    return { exitCode: reached.exitCode, said: verdictTable(reached).replaceAll(/\s+/g, ' '), verdict };
  } catch (error) {
    if (!(error instanceof AttnswapError)) throw error;
    const verdict = (): Verdict => assert.fail(error);
    return { exitCode: 5, said: `${error.message} [${error.code}] hint: ${error.hint}`.replaceAll(/\s+/g, ' '), verdict };
  }
}

/** What is read of a stored baseline. */
export interface BaselineFile {
  name: string;
  fingerprint: string;
  runs: Array<{
    run: {
      startedAt: string;
      complete: boolean;
      cells: Array<{ id: string; status: string; latency?: { medianNs: number } }>;
      declared: string[];
      host: { fingerprint: { sha256: string } };
    };
  }>;
}

/** Measures the suite of a folder into a record there. */
export async function benchTo(cwd: string, record: string): Promise<void> {
  process.chdir(cwd);
  const { complete, cells } = await bench({ suite: './my.suite.ts', record });
  assert.ok(complete && cells.every(({ status }) => status === 'ok'));
}

/** One run taken for three, of different days; their paths in the folder. */
export async function threeRuns(cwd: string): Promise<string[]> {
  await benchTo(cwd, 'run1.json');
  const run = JSON.parse(readFileSync(join(cwd, 'run1.json'), 'utf8')) as { startedAt: string };
  const runs = ['run1.json', 'run2.json', 'run3.json'];
  for (const [index, path] of runs.entries())
    writeFileSync(join(cwd, path), JSON.stringify({ ...run, startedAt: new Date(Date.UTC(2026, 0, 1 + index)).toISOString() }));
  return runs;
}

/** A baseline of {@link threeRuns}. */
export async function scriptedBaseline(cwd: string): Promise<void> {
  await saveBaseline({ name: 'main', runs: await threeRuns(cwd), reason: 'first' });
}
