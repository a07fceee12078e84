import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../src/contract/errors.ts';

/** A virtual environment in .cache. */
export class PythonEnvironment {
  readonly folder: string;
  readonly python: string;

  constructor(name: string) {
    this.folder = join(import.meta.dirname, '..', '.cache', name);
    this.python = join(this.folder, 'bin', 'python3');
  }

  /** What a script prints there; undefined where it fails, or without the environment. */
  async printed(script: string): Promise<string | undefined> {
    if (!existsSync(this.python)) return undefined;
    const { exitCode, stdout } = await execa(this.python, ['-c', script], { reject: false });
    return exitCode === 0 ? stdout : undefined;
  }

  /** Makes it anew, empty. */
  async make(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    const made = await execa('python3', ['-m', 'venv', this.folder], { reject: false });
    if (made.exitCode !== 0) throw new Error(`python3 -m venv ${this.folder}: ${made.stderr || made.shortMessage}`);
  }

  /** @throws UNSUPPORTED with the last line that pip wrote */
  async install(
    packages: readonly string[],
    { hint, env = {} }: { readonly hint: string; readonly env?: Readonly<Record<string, string>> },
  ) {
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
    const { exitCode, stderr } = await execa(this.python, args, { reject: false, env });
    if (exitCode === 0) return;
    throw new AttnswapError('UNSUPPORTED', `pip could not install ${packages.join(' ')}: ${stderr.trim().split('\n').at(-1)}`, { hint });
  }

  /** Its size. Each file once: a virtual environment has links to its own folders. */
  megabytes(): number {
    const files = readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).map((file) => lstatSync(join(this.folder, file)));
    const sizes = new Map(files.map(({ ino, size }) => [ino, size]));
    return Math.round([...sizes.values()].reduce((sum, size) => sum + size, 0) / 1e6);
  }
}
