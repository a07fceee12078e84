import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../../src/contract/errors.ts';

const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/**
 * Compiles the binding's sources as they are and puts it and the libraries where the package looks for them.
 * @param folder the package
 * @param unpacked the wheel's files
 * @param nodeHeaders the folder with node_api.h
 * @throws UNSUPPORTED without a compiler, or where it fails
 */
export async function compileBinding(folder: string, unpacked: string, nodeHeaders: string): Promise<void> {
  const deps = join(folder, 'deps', 'lib');
  const output = join(folder, 'lib', 'napi-v8');
  for (const made of [deps, output]) mkdirSync(made, { recursive: true });
  for (const library of libraries) renameSync(join(unpacked, 'tensorflow', library), join(deps, library));
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((source) => join(folder, 'binding', source));
  const include = [nodeHeaders, join(unpacked, 'tensorflow', 'include')].flatMap((path) => ['-I', path]);
  const link = [`-L${deps}`, ...libraries.map((library) => `-l:${library}`), '-Wl,-rpath,$ORIGIN/../../deps/lib'];
  // Every function is looked up when the binding is loaded: one that the library lacks is an error then, not in the middle of a run.
  const flags = ['-shared', '-fPIC', '-O2', '-std=c++17', '-DNAPI_VERSION=8', '-Wl,-z,now'];
  await tool(compiler, [...flags, ...include, ...sources, '-o', join(output, 'tfjs_binding.node'), ...link]);
  await tool('strip', ['--strip-all', ...libraries.map((library) => join(deps, library))]);
}

const compiler = process.env['CXX'] ?? 'g++';

/** @throws UNSUPPORTED where there is no compiler */
export async function findCompiler(): Promise<void> {
  for (const command of [compiler, 'strip']) await tool(command, ['--version']);
}

async function tool(command: string, args: readonly string[]): Promise<void> {
  const { exitCode, code, stderr, shortMessage } = await execa(command, args, { reject: false });
  if (exitCode === 0) return;
  if (code !== 'ENOENT') throw new AttnswapError('UNSUPPORTED', `${command}: ${stderr.trim().slice(0, 1000) || shortMessage}`);
  throw new AttnswapError('UNSUPPORTED', `${command} is not on the path`, { hint: 'apt-get install g++ brings it' });
}
