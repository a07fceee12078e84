import { PythonEnvironment } from './python-environment.ts';

// A virtual environment with PyTorch and transformers, for models: .cache/torch.

const environment = new PythonEnvironment('torch');
const packages = ['torch==2.15.0', 'transformers==5.24.0', 'safetensors==0.8.0', 'numpy==2.4.6'];
const check = 'import torch, transformers; print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}")';

if ((await environment.printed(check)) === undefined) {
  await environment.make();
  await environment.install(packages, { hint: 'check that pip reaches a package index; PyTorch needs Python 3.10 or later' });
}
console.log(`${await environment.printed(check)}: ${environment.megabytes()} MB in ${environment.folder}`);
console.log(`export ATTNSWAP_PYTHON=${environment.python}`);
