import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import './optional-runtimes.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Opens a session as the adapter does, and says what is left beside it: threads of the process, and telemetry's files. */
const program = `
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { openBytes, usingModel } from '${root}src/model/file/open-proto.ts';
import { GraphBuilder } from '${root}src/model/graph/graph-builder.ts';
import { adapter } from '${root}adapters/onnx/adapter.ts';
const graph = new GraphBuilder();
const input = graph.input('a', 'f32', [2, 2]);
const model = graph.model([{ name: 'b', value: graph.op('MatMul', [input, input]), type: 'f32' }]);
await usingModel(openBytes(model, { adapter, backend: 'onnx-cpu' }, 'reading'), async () => {
  await setTimeout(300);
  console.log(JSON.stringify({ threads: readdirSync('/proc/self/task').length, files: readdirSync(tmpdir()) }));
});
`;

/** Without what the tests themselves, or CI, have set: the runtime's own default is then «on». */
function freshEnvironment(given: Record<string, string> = {}) {
  const folder = emptyFolder();
  const home = join(folder, 'home');
  const temporary = join(folder, 'tmp');
  mkdirSync(home);
  mkdirSync(temporary);
  const unset = { CI: undefined, ORT_DISABLE_TELEMETRY: undefined, HF_HUB_OFFLINE: undefined, XDG_CACHE_HOME: undefined };
  return { home, temporary, env: { ...unset, HOME: home, TMPDIR: temporary, ...given } };
}

async function besideASession(given: Record<string, string> = {}) {
  const { env } = freshEnvironment(given);
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', program], { env });
  return JSON.parse(stdout) as { threads: number; files: string[] };
}

const isTelemetry = (file: string) => file.startsWith('mat-debug-') || file === '.ses';
const elsewhere = process.platform === 'linux' ? false : 'telemetry starts by itself on Linux alone; /proc counts its thread';

test(
  "ONNX Runtime starts no thread of telemetry's and writes no file of it, unless the user turned it on",
  { skip: elsewhere },
  async () => {
    const quiet = await besideASession();
    const on = await besideASession({ ORT_DISABLE_TELEMETRY: '0' });
    assert.ok(on.files.some(isTelemetry), 'the runtime no longer writes these files: this test then shows nothing');
    assert.deepEqual(quiet.files.filter(isTelemetry), []);
    assert.equal(quiet.threads, on.threads - 1);
  },
);

test(
  'every process of a command is quiet: the command, its measuring processes and the workers of others',
  { skip: elsewhere },
  async () => {
    const { env, home, temporary } = freshEnvironment();
    const cwd = emptyFolder();
    const names = ['ORT_DISABLE_TELEMETRY', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'DO_NOT_TRACK'];
    writeFileSync(join(cwd, 'worker.mjs'), settingsWorker(names));
    const { stdout, stderr } = await attnswap(['doctor', '--json', '--worker', `${process.execPath} worker.mjs`], { cwd, env });
    const { backends, environment } = JSON.parse(stdout) as {
      backends: Array<{ backend: string; status: { details?: Record<string, string> } }>;
      environment: Record<string, string>;
    };
    const told = backends.find(({ backend }) => backend === 'settings')?.status.details;
    assert.deepEqual(told, Object.fromEntries(names.map((name) => [name, '1'])));
    assert.equal(environment['ORT_DISABLE_TELEMETRY'], '1');
    assert.deepEqual(readdirSync(temporary).filter(isTelemetry), []);
    // Beside compiled sources: no ids of devices or users, no counts of uses, by any runtime that is here.
    const written = readdirSync(home, { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      written.filter((name) => !/^\.cache($|.attnswap)/.test(name)),
      [],
    );
    assert.equal(stderr, '', 'what drivers print is kept from the reader');
  },
);

test('doctor shows what the user set', async () => {
  const { env } = freshEnvironment({ HF_HUB_OFFLINE: '0' });
  const { stdout } = await attnswap(['doctor'], { env });
  assert.match(stdout, /HF_HUB_OFFLINE=0/);
  assert.match(stdout, /ORT_DISABLE_TELEMETRY=1/);
});

test('onnxruntime-node is imported in one place, where its telemetry is off', () => {
  const importing = ['src', 'adapters', 'tests', 'bench', 'samples', 'scripts']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
    .filter((name) => name.endsWith('.ts') && /(from|import\() ?'onnxruntime-node'/.test(readFileSync(join(root, name), 'utf8')));
  assert.deepEqual(importing, ['src/processes/onnxruntime.ts']);
});

/** A worker that tells its environment as the details of its backend. */
function settingsWorker(names: readonly string[]): string {
  const details = `Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, process.env[name] ?? '']))`;
  const backend = `{ name: 'settings', available: true, version: '1', device: 'CPU', dtypes: ['f32'], details: ${details} }`;
  return `import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) {
  const { id, ask } = JSON.parse(line);
  if (ask === 'bye') break;
  const hello = { protocol: 'attnswap.worker/1', name: 'settings', backends: [${backend}], kernels: [] };
  process.stdout.write(JSON.stringify({ id, ...hello }) + '\\n');
}
process.exit(0);
`;
}
