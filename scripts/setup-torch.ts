import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../src/contract/errors.ts';

// A virtual environment with PyTorch and transformers, for models: .cache/torch.

const cache = join(import.meta.dirname, '..', '.cache');
const target = join(cache, 'torch');
const python = join(target, 'bin', 'python3');

const torch = 'torch==2.15.0';
const others = ['transformers==5.24.0', 'safetensors==0.8.0', 'numpy==2.4.6'];
const check = 'import torch, transformers; print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}")';

async function versions(): Promise<string | undefined> {
  if (!existsSync(python)) return undefined;
  const { exitCode, stdout } = await execa(python, ['-c', check], { reject: false });
  return exitCode === 0 ? stdout : undefined;
}

async function pip(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await execa(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...args], {
    reject: false,
  });
  if (exitCode === 0) return;
  throw new AttnswapError('UNSUPPORTED', `pip could not install ${args.join(' ')}: ${stderr.trim().split('\n').at(-1)}`, {
    hint: 'check that pip reaches a package index; PyTorch needs Python 3.10 or later',
  });
}

/** Each file once: a virtual environment has links to its own folders. */
function megabytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => lstatSync(join(folder, file)));
  const sizes = new Map(files.map(({ ino, size }) => [ino, size]));
  return Math.round([...sizes.values()].reduce((sum, size) => sum + size, 0) / 1e6);
}

const found = await versions();
if (found === undefined) {
  rmSync(target, { recursive: true, force: true });
  const made = await execa('python3', ['-m', 'venv', target], { reject: false });
  if (made.exitCode !== 0) throw new Error(`python3 -m venv ${target}: ${made.stderr || made.shortMessage}`);
  await pip([torch, ...others]);
}
console.log(`${await versions()}: ${megabytes(target)} MB in ${target}`);
console.log(`export ATTNSWAP_PYTHON=${python}`);
