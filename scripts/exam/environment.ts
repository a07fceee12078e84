import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

/** What exports the models. PyTorch from PyPI brings its CUDA libraries along: 6 GB in all. */
const packages = ['torch==2.15.0', 'transformers==5.24.0', 'onnx==1.23.2', 'onnxruntime==1.32.0', 'onnxscript==0.7.2', 'onnxslim==0.1.98'];

/** A Python with the exporters, in a virtual environment below `folder`; made where it is not there yet. */
export async function exporters(folder: string): Promise<string> {
  const environment = join(folder, 'python');
  const python = join(environment, 'bin', 'python');
  if (existsSync(join(environment, 'complete'))) return python;
  await execa('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  await execa(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], { stdio: 'inherit' });
  await execa('touch', [join(environment, 'complete')]);
  return python;
}
