import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { CellRecord } from '../src/contract/cell.ts';
import { readRun } from '../src/contract/run.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { describedAdapter } from '../src/protocol/worker-adapter.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const script = fileURLToPath(new URL('./fixtures/worker.ts', import.meta.url));
const worker = (fault: string) => `${process.execPath.replaceAll(' ', '\\ ')} ${script} ${fault}`;

/** What a worker does, and what must become of its cell. */
const expected: Record<string, { readonly status: CellRecord['status']; readonly reason: RegExp }> = {
  'dies@sample': { status: 'failed', reason: /exited with code 3 when asked sample: ran out of luck/ },
  'killed@memory': { status: 'failed', reason: /peak memory: .*was ended by SIGKILL when asked memory/ },
  'hangs@check': { status: 'timed-out', reason: /no answer within 4 s/ },
  'rubbish@prepare': { status: 'failed', reason: /asked prepare, answered "Loading model… done", expected a JSON object with id 2/ },
  'floods@sample': { status: 'failed', reason: /asked sample, (answered "so much|wrote "so much)/ },
  'one-long-line@sample': { status: 'failed', reason: /a line of more than 1 MiB/ },
  'out-of-order@sample': { status: 'failed', reason: /answered id \d+, expected \d+ \(sample\): out of order/ },
  'unasked@sample': { status: 'failed', reason: /without being asked|out of order/ },
  'negative@sample': { status: 'failed', reason: /elapsedNs: Too small/ },
  'refuses@sample': { status: 'failed', reason: /failed to sample: the GPU fell off the bus/ },
  clock: { status: 'failed', reason: /reports 1000000000000 ns for 1 calls/ },
  nan: { status: 'mismatch', reason: /NaN/ },
  shape: { status: 'failed', reason: /output o: got F32 \[1, 1, 1, 2\], expected F32 \[1, 2, 32, 8\]/ },
  'no-file': { status: 'failed', reason: /output\.safetensors/ },
  'other-inputs': { status: 'failed', reason: /read other inputs/ },
  none: { status: 'ok', reason: /^$/ },
};

const backendOf = (fault: string) => `worker-${fault.split('@')[0]}`;
const cwd = emptyFolder();
const scratch = emptyFolder();
let cells: readonly CellRecord[] = [];

before(async () => {
  const faults = Object.keys(expected);
  const matrix = { variants: ['dense'], backends: faults.map(backendOf), lengths: [32], heads: 2, headDim: 8 };
  const suite = { name: 'faults', workers: faults.map(worker), matrix, sampleSeconds: 0.05, wasteRows: 4, timeoutSeconds: 4 };
  writeFileSync(join(cwd, 'faults.suite.ts'), `export default ${JSON.stringify(suite)};\n`);
  const { exitCode, stderr } = await attnswap(['bench', './faults.suite.ts', '--quiet'], { cwd, env: { TMPDIR: scratch } });
  assert.equal(exitCode, 5, stderr);
  cells = readRun(JSON.parse(readFileSync(join(cwd, 'runs/faults.run.json'), 'utf8')), 'faults').cells;
});

for (const [fault, { status, reason }] of Object.entries(expected)) {
  test(`a worker that ${fault} gives a cell that is ${status}, with the reason`, () => {
    const cell = cells.find(({ backend }) => backend === backendOf(fault));
    assert.equal(cell?.status, status, cell?.reason);
    assert.match(cell?.reason ?? '', reason);
  });
}

test('a worker whose device counts its energy is asked for it, and for calls alone; another one has no counter', async () => {
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 4, keys: 4, headDim: 4, causal: true, dtype: 'f32' as const };
  const read = async (fault: string) => {
    const adapter = await describedAdapter({ command: [process.execPath, script, fault] });
    const request = { backend: `worker-${fault}`, variant: 'dense', kernel: 'script', parameters: {}, purpose: 'latency' as const };
    const prepared = await adapter.prepare({ ...request, inputs: drawGaussian(shape, 1) });
    assert.ok(!('unsupported' in prepared));
    const { deviceEnergy } = prepared;
    try {
      const before = await deviceEnergy?.joules().catch(String);
      await prepared.repeat!(2);
      return deviceEnergy && [deviceEnergy.counter, before, await deviceEnergy.joules().catch(String)];
    } finally {
      await prepared.dispose();
    }
  };
  assert.deepEqual(await read('counts'), ['a counter', 81_234.567, 81_236.567]);
  const lost = 'AttnswapError: the GPU is lost';
  assert.deepEqual(await read('loses-counter'), ['a counter', lost, lost]);
  assert.equal(await read('none'), undefined);
});

test('no process and no file of a worker is left behind', async () => {
  const { stdout } = await execa('pgrep', ['-f', `${script}|sleep 1000.5`], { reject: false });
  assert.equal(stdout, '');
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.startsWith('attnswap-') && !name.endsWith('.lock')),
    [],
  );
});

test('a worker of another version is refused with both versions, before anything is measured', async () => {
  const { exitCode, stderr } = await attnswap(['doctor', '--worker', worker('version')]);
  assert.equal(exitCode, 5);
  assert.match(stderr, /speaks "attnswap\.worker\/7", expected attnswap\.worker\/1/);
});

test('conform finds a worker whose answer changes from call to call, and passes one that rounds differently', async () => {
  const check = (fault: string) => attnswap(['conform', '--cases', 'few', '--quiet', '--worker', worker(fault)]);
  const fickle = await check('fickle');
  assert.equal(fickle.exitCode, 5);
  assert.match(fickle.stdout, /✗ worker-fickle dense\.script: wrong in 5 of 5 cases/);
  assert.match(fickle.stdout, /call 2 differs from those before: /);
  const rounding = await check('rounding');
  assert.match(rounding.stdout, /✓ worker-rounding dense\.script: \d+ cases agree with float64/);
});

test('conform tells what a worker does wrong, and passes one that does all right', async () => {
  const wrong = await attnswap(['conform', '--cases', 'quick', '--quiet', '--worker', worker('rubbish@prepare')]);
  assert.equal(wrong.exitCode, 5);
  assert.match(wrong.stdout, /✗ samples, measures memory and reports what ran: .*Loading model/);
  assert.match(wrong.stdout, /✗ worker-rubbish dense\.script: wrong in 5 of 5 cases/);
  const nothing = await attnswap(['conform', '--worker', 'no-such-program']);
  assert.equal(nothing.exitCode, 5);
  assert.match(nothing.stdout, /✗ answers hello with this protocol version: the worker no-such-program could not be started/);
});
