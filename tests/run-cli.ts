import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import './own-temporary.ts';

export const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));

/** Runs the real command line in `cwd`; never throws for an exit code. */
export async function attnswap(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [main, ...args], { reject: false, ...options });
  return { exitCode, stdout, stderr };
}

/** Waits until a command has said `text` on standard error; fails where it ends before. */
export async function untilSaid(
  child: { readonly stderr: NodeJS.ReadableStream | undefined } & PromiseLike<unknown>,
  text: string,
): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  let over = false;
  void child.then(() => (over = true));
  while (!said.includes(text) && !over) await setTimeout(20);
  assert.ok(said.includes(text), said);
}

export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), 'attnswap-test-'));
}

/** Numbers of the processes that work in a folder: what a command started there, and has not ended. */
export function processesIn(folder: string): string[] {
  const path = realpathSync(folder);
  const worksThere = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === path;
    } catch {
      return false; // It ended since, or is another user's.
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && worksThere(name));
}

/** Whether one of the workers that a command in a folder compares is stopped, so that the other one works. */
export function isMeasuring(cwd: string): boolean {
  try {
    return processesIn(cwd).some((pid) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
  } catch {
    return false; // One ended between two looks.
  }
}

/** A suite file of two fast cells. */
export function suiteText(name: string, variants: readonly string[], extra = ''): string {
  return `import { defineSuite } from 'attnswap';
export default defineSuite({
  name: '${name}',
  matrix: { variants: ${JSON.stringify(variants)}, backends: ['onnx-cpu'], lengths: [64], heads: 2, headDim: 16 },
  sampleSeconds: 0.05, wasteRows: 16, ${extra}
});
`;
}
