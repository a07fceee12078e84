import { execa } from 'execa';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));

/** Runs the real command line in `cwd`; never throws for an exit code. */
export async function attnswap(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [main, ...args], { reject: false, ...options });
  return { exitCode, stdout, stderr };
}

export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), 'attnswap-test-'));
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
