import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AttnswapError } from '../src/contract/errors.ts';
import { PythonEnvironment } from './python-environment.ts';

// A virtual environment with DeepSpeed, for --deepspeed: .cache/deepspeed. PyTorch and transformers are those of .cache/torch.

const torch = new PythonEnvironment('torch');
const environment = new PythonEnvironment('deepspeed');
const packagesOf = 'import sysconfig; print(sysconfig.get_path("purelib"))';
const check = 'import torch, deepspeed; print(f"DeepSpeed {deepspeed.__version__} with PyTorch {torch.__version__}")';

const shared = await torch.printed(`import torch; ${packagesOf}`);
if (shared === undefined) throw new AttnswapError('UNSUPPORTED', `no PyTorch in ${torch.folder}`, { hint: 'npm run setup:torch' });
if ((await environment.printed(check)) === undefined) {
  await environment.make();
  writeFileSync(join((await environment.printed(packagesOf))!, 'torch.pth'), `${shared}\n`);
  // It is built here, where it asks PyTorch about this machine; its own C++ and CUDA code is not: nothing that attnswap runs needs it.
  const options = { hint: 'check that pip reaches a package index', env: { DS_BUILD_OPS: '0', DS_ACCELERATOR: 'cpu' } };
  await environment.install(['setuptools', 'wheel'], options);
  await environment.install(['--no-build-isolation', 'deepspeed==0.19.8'], options);
}
console.log(`${(await environment.printed(check))?.split('\n').at(-1)}: ${environment.megabytes()} MB in ${environment.folder}`);
console.log(`export ATTNSWAP_PYTHON=${environment.python}`);
