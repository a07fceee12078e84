import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../src/contract/errors.ts';
import { downloadWheel } from './pip.ts';
import { compileBinding, findCompiler } from './tfjs-node/compile.ts';
import { unpackLibrary } from './tfjs-node/unpack.ts';
import { nodeApiHeaders, tensorflow, tfjsNode } from './tfjs-node/versions.ts';

// tfjs-node with its native binding where its own download is blocked: compiled here, against the library in PyPI's tensorflow-cpu.

const cache = join(import.meta.dirname, '..', '.cache');
const target = join(cache, 'tfjs-node');
const building = join(cache, 'tfjs-node.building');
const inside = join('node_modules', '@tensorflow', 'tfjs-node');

/** What is wrong with the package under a folder, as a fresh process finds it; undefined where it loads and computes. */
async function wrongWith(root: string): Promise<string | undefined> {
  if (!existsSync(join(root, inside))) return 'not there yet';
  const check = join(import.meta.dirname, 'tfjs-node', 'check.ts');
  const { exitCode, stdout, stderr } = await execa(process.execPath, [check, join(root, inside)], { reject: false });
  if (exitCode !== 0) return stderr.trim().slice(-1000) || `exit code ${exitCode}`;
  const expected = {
    package: tfjsNode,
    library: tensorflow.version,
    backend: 'tensorflow',
    product: [
      [19, 22],
      [43, 50],
    ],
  };
  return stdout.trim() === JSON.stringify(expected) ? undefined : `got ${stdout.trim()}, expected ${JSON.stringify(expected)}`;
}

/** The package and Node's headers, without install scripts, and without source maps: two thirds of its size. */
async function installPackage(): Promise<void> {
  const quiet = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--no-package-lock',
    '--fetch-retries=1',
    '--loglevel=error',
  ];
  const packages = [`@tensorflow/tfjs-node@${tfjsNode}`, `node-api-headers@${nodeApiHeaders}`];
  const { exitCode, stderr } = await execa('npm', ['install', ...quiet, '--prefix', building, ...packages], { reject: false });
  if (exitCode !== 0)
    throw new AttnswapError('UNSUPPORTED', `npm could not fetch ${packages.join(' ')}: ${stderr.split('\n')[0]}`, {
      hint: `check that "npm view ${packages[0]}" reaches a registry`,
    });
  const modules = join(building, 'node_modules');
  for (const file of readdirSync(modules, { recursive: true, encoding: 'utf8' })) if (file.endsWith('.map')) rmSync(join(modules, file));
}

async function fetchLibrary(): Promise<void> {
  const download = join(building, 'wheel');
  mkdirSync(download);
  const wheel = await downloadWheel(tensorflow.requirement, download, [...tensorflow.wheel, '--retries=1', '--timeout=20']);
  await unpackLibrary(wheel, join(building, 'unpacked'));
  rmSync(download, { recursive: true });
}

async function build(why: string): Promise<void> {
  const start = performance.now();
  await findCompiler();
  rmSync(building, { recursive: true, force: true });
  mkdirSync(building, { recursive: true });
  console.log(`building ${target}: ${why}\nfetching @tensorflow/tfjs-node ${tfjsNode} (npm) and ${tensorflow.requirement} (PyPI, 232 MB)`);
  for (const outcome of await Promise.allSettled([installPackage(), fetchLibrary()]))
    if (outcome.status === 'rejected') throw outcome.reason;
  console.log('compiling the binding');
  await compileBinding(join(building, inside), join(building, 'unpacked'), join(building, 'node_modules', 'node-api-headers', 'include'));
  rmSync(join(building, 'unpacked'), { recursive: true });
  const wrong = await wrongWith(building);
  if (wrong !== undefined) throw new Error(`the binding was built, but ${wrong}`);
  rmSync(target, { recursive: true, force: true });
  renameSync(building, target);
  const bytes = readdirSync(target, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, file) => sum + statSync(join(target, file)).size,
    0,
  );
  console.log(`built in ${((performance.now() - start) / 1000).toFixed(0)} s, ${(bytes / 1e6).toFixed(0)} MB`);
}

try {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new AttnswapError('UNSUPPORTED', `${process.platform} ${process.arch}: this is for Linux on x64`, {
      hint: 'npm install @tensorflow/tfjs-node in a folder of its own, and name the package in ATTNSWAP_TFJS_NODE',
    });
  const wrong = await wrongWith(target);
  if (wrong !== undefined) await build(wrong);
  console.log(`it works: tfjs-node ${tfjsNode} with TensorFlow ${tensorflow.version}\nATTNSWAP_TFJS_NODE=${join(target, inside)}`);
} catch (error) {
  rmSync(building, { recursive: true, force: true });
  if (!(error instanceof AttnswapError)) throw error;
  console.error(`build-tfjs-node: ${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`);
  process.exitCode = 3;
}
