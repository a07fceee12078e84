import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

const shared = ['torch==2.15.0', 'onnx==1.23.2', 'onnxruntime==1.32.0'];

/** A Python with PyTorch's exporters. PyTorch from PyPI brings its CUDA libraries along: 6 GB in all. */
export function exporters(folder: string): Promise<string> {
  return environment(join(folder, 'python'), [...shared, 'transformers==5.24.0', 'onnxscript==0.7.2', 'onnxslim==0.1.98']);
}

/** A Python with Optimum, which wants an older transformers. */
export function optimum(folder: string): Promise<string> {
  return environment(join(folder, 'optimum'), [...shared, 'transformers==4.57.6', 'optimum-onnx==0.1.0']);
}

/** A virtual environment with packages, made where it is not there yet. */
async function environment(folder: string, packages: readonly string[]): Promise<string> {
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'complete'))) return python;
  await execa('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  await execa(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], { stdio: 'inherit' });
  await execa('touch', [join(folder, 'complete')]);
  return python;
}
