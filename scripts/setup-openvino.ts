import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../src/contract/errors.ts';

// A Python environment with OpenVINO and PyPI's ONNX Runtime in .cache/openvino, for the backends openvino-* and ort-*: `npm run setup:openvino`.
const packages = ['openvino==2026.4.1', 'onnxruntime==1.32.0', 'onnxruntime-ep-openvino==1.8.1', 'numpy>=2,<3'];
const folder = join(import.meta.dirname, '..', '.cache', 'openvino');
const python = process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python3');

async function run(command: string, args: readonly string[], hint: string): Promise<void> {
  const { exitCode, shortMessage, stderr } = await execa(command, args, { reject: false });
  if (exitCode !== 0) throw new AttnswapError('UNSUPPORTED', `${command}: ${stderr.trim().split('\n').at(-1) || shortMessage}`, { hint });
}

try {
  if (!existsSync(python)) await run('python3', ['-m', 'venv', folder], 'install Python with venv (Debian: apt-get install python3-venv)');
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  await run(python, install, 'check that pip reaches a package index');
  console.log(`export ATTNSWAP_ONNX_PYTHON=${python}`);
} catch (error) {
  if (!(error instanceof AttnswapError)) throw error;
  console.error(`${error.message}\nhint: ${error.hint}`);
  process.exitCode = 1;
}
