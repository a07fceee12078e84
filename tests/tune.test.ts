import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { restChecksum, restName } from '../src/journal/check-steps.ts';
import type { JournalSubject } from '../src/journal/stored.ts';
import type { AttentionWaste } from '../src/tuning/attention-waste.ts';
import { skip } from './torch-installed.ts';
import { attnswap, emptyFolder, main } from './run-cli.ts';

const suite = {
  name: 'tiny',
  task: 'recall:pairs=2,length=16,keys=8,values=8',
  model: { layers: 1, width: 16, heads: 2, hidden: 16 },
  candidates: ['topk:k=3'],
  space: { learningRate: [0.01], techniques: [[], ['sparsify', 'distil', 'heads']] },
  items: { train: 128, validation: 32, test: 64 },
  training: { epochs: 2, batch: 16 },
  search: { trials: 2, seeds: 1 },
};

function folderWith(definition: object): string {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'tiny.suite.ts'), `export default ${JSON.stringify(definition)};\n`);
  return cwd;
}

const command = ['tune', './tiny.suite.ts', '--max-blocks', '3'];
const stateOf = (cwd: string) =>
  JSON.parse(readFileSync(join(cwd, 'runs/tiny.tuning/journal.json'), 'utf8')) as { steps: Record<string, unknown> };

/** Waits until a tuning has reached so many steps. */
async function untilSteps(cwd: string, count: number): Promise<void> {
  const path = join(cwd, 'runs/tiny.tuning/journal.json');
  while (!existsSync(path) || Object.keys(stateOf(cwd).steps).length < count) await setTimeout(10);
}

/** A tuning that gets a signal once it has reached so many steps. */
async function interruptAt(steps: number, signal: NodeJS.Signals, cwd: string) {
  const child = execa(process.execPath, [main, ...command], { cwd, reject: false });
  await untilSteps(cwd, steps);
  child.kill(signal);
  return child;
}

/** What training came to: all steps but those that were timed. */
function trained(cwd: string): Array<[string, unknown]> {
  return Object.entries(stateOf(cwd).steps)
    .filter(([step]) => ['trial', 'swap', 'waste'].includes(step.split('/')[0]!))
    .map(([step, result]): [string, unknown] => [step, { ...(result as object), elapsedNs: 0 }])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Without what is said of the host, which is busy with other things each time. */
function withoutWarnings(stdout: string): string[] {
  const lines = stdout.split('\n');
  return lines.slice(
    0,
    lines.findIndex((line) => /^(warning|models):/.test(line)),
  );
}

test('a tuning goes through all phases, and one that was interrupted and killed comes to the same', { skip }, async () => {
  const whole = folderWith(suite);
  const { exitCode, stdout, stderr } = await attnswap(command, { cwd: whole });
  assert.ok([0, 1, 2].includes(exitCode!), stderr);
  assert.match(stdout, /topk:k=3 +\d+ % +[\d.]+ +[\d.]+ +[\d.]+\n/);
  assert.match(stdout, /Search by successive halving/);
  assert.match(stderr, /trained on torch-cpu\n/);
  const record = JSON.parse(readFileSync(join(whole, 'runs/tiny.tuning/record.json'), 'utf8')) as {
    baselineWaste: AttentionWaste;
    candidates: Array<{
      model: string;
      graded: { levels: Array<{ difficulty: number; items: number; layers: number }> };
      finalists: unknown[];
      waste: AttentionWaste;
    }>;
  };
  assert.equal(record.candidates[0]!.finalists.length, 1);
  assert.match(stdout, /Attention on keys that do not hold the answer, %: first seed, 128 of 128 scored\s+positions/);
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.length > 100),
    [],
  );
  const wastes = [record.baselineWaste, record.candidates[0]!.waste];
  for (const { items, rows, heads, all } of wastes) {
    assert.deepEqual(
      [items, rows],
      [
        { measured: 64, of: 64 },
        { measured: 128, of: 128 },
      ],
    );
    assert.deepEqual(
      heads.map(({ layer, head }) => [layer, head]),
      [
        [0, 0],
        [0, 1],
      ],
    );
    const { value, low, high, denominator } = all.labelledWaste!;
    assert.equal(denominator.value, 256);
    assert.ok(0 < low! && low! <= value && value <= high! && high! < 1, `${value} in ${low} … ${high}`);
  }
  const [dense, topk] = wastes.map(({ all }) => all);
  assert.equal(dense!.missedRelevantKeys, null);
  // Three keys a row, each query's own pairs; of as many dense ones as its positions allow.
  assert.equal(topk!.wastedCompute.p95!.denominator.value, 3 * 256);
  assert.equal(topk!.missedRelevantKeys!.denominator.value, 256);
  // The exported winner is a model like any other.
  const sites = await attnswap(['sites', record.candidates[0]!.model], { cwd: whole });
  assert.equal(sites.exitCode, 0, sites.stderr);

  const again = await attnswap(command, { cwd: whole });
  assert.deepEqual([again.exitCode, withoutWarnings(again.stdout)], [exitCode, withoutWarnings(stdout)]);

  const broken = folderWith(suite);
  const interrupted = await interruptAt(1, 'SIGINT', broken);
  assert.equal(interrupted.exitCode, 130);
  assert.match(interrupted.stderr, /interrupted; what was trained is in runs\/tiny\.tuning/);
  await interruptAt(4, 'SIGKILL', broken);
  const resumed = await attnswap(command, { cwd: broken });
  assert.ok([0, 1, 2].includes(resumed.exitCode!), resumed.stderr);
  assert.deepEqual(trained(broken), trained(whole));
  const changed = { ...suite, training: { ...suite.training, batch: 8 } };
  writeFileSync(join(broken, 'tiny.suite.ts'), `export default ${JSON.stringify(changed)};\n`);
  const other = await attnswap(command, { cwd: broken });
  assert.equal(other.exitCode, 5);
  assert.match(other.stderr, /training changed from .*INVALID_MIGRATION/s);
});

test('a tuning with exits says how deep its answers were, and exports a model that exits', { skip }, async () => {
  const model = { ...suite.model, layers: 2 };
  const task = 'hops:nodes=4,values=8,hops=2,questions=2,length=24,train=12';
  // Of eight classes one has at least 1/8: all leave at the first exit, whatever is learned.
  const cwd = folderWith({ ...suite, task, model, space: { ...suite.space, techniques: [['distil']], exits: [0.1] } });
  const { exitCode, stdout, stderr } = await attnswap(command, { cwd });
  assert.ok([0, 1, 2].includes(exitCode!), stderr);
  assert.match(stdout, /dense answers after 1 of 2 layers/);
  const record = JSON.parse(readFileSync(join(cwd, 'runs/tiny.tuning/record.json'), 'utf8')) as {
    candidates: Array<{
      model: string;
      graded: { levels: Array<{ difficulty: number; items: number; layers: number }> };
      finalists: Array<{ trial: { exits: number }; test: { layers: number } }>;
    }>;
  };
  assert.match(stdout, /dense, exits at confidence 0\.1, by\s+difficulty of the items:[^]*?\n1 +\d/);
  const [{ model: exported, finalists, graded }] = record.candidates as [(typeof record.candidates)[0]];
  assert.deepEqual(
    graded.levels.map(({ difficulty }) => difficulty),
    [1, 2],
  );
  assert.equal(
    graded.levels.reduce((sum, { items }) => sum + items, 0),
    suite.items.test,
  );
  assert.deepEqual(
    graded.levels.map(({ layers }) => layers),
    [1, 1],
  );
  assert.ok(existsSync(exported.replace(/\.onnx$/, '_without_exits.onnx')), exported);
  assert.equal(finalists[0]!.trial.exits, 0.1);
  assert.equal(finalists[0]!.test.layers, 1);
  assert.ok(readFileSync(join(exported)).includes('then_branch'));
  const report = await attnswap(['report', 'runs/tiny.tuning', '--format', 'md', '--out', 'report.md'], { cwd });
  assert.equal(report.exitCode, 0, report.stderr);

  // As 0.2.0 wrote it, when exits meant something else; as it was when the task had other items.
  const path = join(cwd, 'runs/tiny.tuning/journal.json');
  const whole = readFileSync(path, 'utf8');
  for (const [setting, definition] of [
    ['exitsDefinition', 3],
    ['taskDefinition', 3],
  ] as const) {
    const journal = JSON.parse(whole) as { startedAt: string; subject: JournalSubject; checksums: Record<string, string> };
    delete journal.subject.settings[setting];
    journal.checksums[restName] = restChecksum(journal);
    writeFileSync(path, JSON.stringify(journal));
    const older = await attnswap(command, { cwd });
    assert.equal(older.exitCode, 5);
    assert.match(older.stderr, new RegExp(`${setting} changed from nothing to ${definition} since this tuning began`));
  }
});

test('exits decided by heads are trained, told and exported, with layers that share their weights', { skip }, async () => {
  const task = 'hops:nodes=4,values=8,hops=2,questions=2,length=24,train=12';
  const space = { exits: [1e-6], layerCost: [0.5] };
  const model = { ...suite.model, layers: 3, sharedLayers: true };
  const search = { trials: 1, seeds: 1 };
  const cwd = folderWith({ ...suite, task, model, space, search });
  const { exitCode, stdout, stderr } = await attnswap(command, { cwd });
  assert.ok([0, 1, 2].includes(exitCode!), stderr);
  assert.match(stdout, /dense, exits where a trained head reaches 0\.000001 \(0\.5 nats per\s+layer\), by\s+difficulty/);
  const folder = join(cwd, 'runs/tiny.tuning/models');
  const held = (name: string) => readFileSync(join(folder, name)).includes('layers.0.exit.weight');
  const names = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
  assert.ok(names.some((name) => /without_exits/.test(name)) && names.some((name) => !/without_exits/.test(name)), names.join(' '));
  for (const name of names) assert.equal(held(name), !/without_exits/.test(name), name);
});

test('without PyTorch and tfjs-node a tuning is trained in WebAssembly, on a smaller budget that the record names', async () => {
  const cwd = folderWith({ ...suite, search: { trials: 2, seeds: 2 }, smaller: { items: { train: 64 }, search: { trials: 1, seeds: 1 } } });
  const env = { ATTNSWAP_PYTHON: '/nonexistent/python3', ATTNSWAP_TFJS_NODE: '/nonexistent', ATTNSWAP_TFJS_NODE_GPU: '/nonexistent' };
  const { exitCode, stderr } = await attnswap(command, { cwd, env });
  assert.ok([0, 1, 2].includes(exitCode!), stderr);
  const smaller =
    /tfjs-wasm is slow, so the budget is smaller: items\.train 64 instead of 128, .*PyTorch \(pip install torch.*npm install @tensorflow\/tfjs-node/;
  assert.match(stderr, smaller);
  const record = JSON.parse(readFileSync(join(cwd, 'runs/tiny.tuning/record.json'), 'utf8')) as {
    settings: { trainer: string; items: { train: number }; search: { trials: number; seeds: number } };
    warnings: string[];
    baseline: Array<{ epochs: Array<{ losses: number[] }> }>;
  };
  assert.ok(record.warnings.some((warning) => smaller.test(warning)));
  const { trainer, items, search } = record.settings;
  assert.deepEqual([trainer, items.train, search.trials, search.seeds], ['tfjs-wasm', 64, 1, 1]);
  assert.equal(record.baseline[0]!.epochs[0]!.losses.length, 4);
});

test('Ctrl-C ends a tuning in WebAssembly in the middle of an epoch', { timeout: 300_000 }, async () => {
  // An epoch of many minutes.
  const cwd = folderWith({ ...suite, items: { ...suite.items, train: 200_000 } });
  const child = execa(process.execPath, [main, ...command, '--trainer', 'tfjs-wasm'], { cwd, reject: false });
  await new Promise<void>((resolve) => child.stderr.on('data', (chunk: Buffer) => chunk.toString().includes(': epoch 1 of') && resolve()));
  // The items are drawn, and the trainer is at its steps.
  await setTimeout(3000);
  child.kill('SIGINT');
  const { exitCode, stderr } = await child;
  assert.equal(exitCode, 130);
  assert.match(stderr, /interrupted/);
  assert.deepEqual(Object.keys(existsSync(join(cwd, 'runs/tiny.tuning/journal.json')) ? stateOf(cwd).steps : {}), []);
});

const refused: Record<string, { readonly definition?: object; readonly args?: readonly string[]; readonly message: RegExp }> = {
  'an unknown task': { definition: { ...suite, task: 'recal' }, message: /unknown task "recal".*INVALID_PARAMETERS/ },
  'an unknown variant': { definition: { ...suite, candidates: ['topc'] }, message: /unknown variant "topc"/ },
  'heads that do not divide the width': {
    definition: { ...suite, model: { ...suite.model, heads: 3 } },
    message: /width must be a multiple of heads/,
  },
  'exits of a model with an encoder': {
    definition: { ...suite, task: 'translate', model: { ...suite.model, layers: 2 }, space: { ...suite.space, exits: [null, 0.9] } },
    message: /a model with an encoder has no exits/,
  },
  'exits by position of a variant that needs whole sequences': {
    definition: {
      ...suite,
      model: { ...suite.model, layers: 2, exitBy: 'position' },
      candidates: ['window:w=4'],
      space: { ...suite.space, exits: [null, 0.9] },
    },
    message: /window:w=4: layers behind an exit by position need attention that computes some rows alone/,
  },
  'a trainer that has no trainer': { args: ['--trainer', 'onnx-cpu'], message: /no backend can train here: onnx-cpu: no trainer/ },
  'an unknown suite': { args: ['tune', 'tune-recal'], message: /unknown suite "tune-recal", expected one of tune-recall/ },
};

for (const [name, { definition = suite, args, message }] of Object.entries(refused)) {
  test(
    `tune refuses ${name} before anything is trained`,
    { skip: name.includes('trainer') || name.includes('suite') ? false : skip },
    async () => {
      const cwd = folderWith(definition);
      const given = args?.[0] === 'tune' ? args : [...command, ...(args ?? [])];
      const { exitCode, stderr } = await attnswap(given, { cwd });
      assert.equal(exitCode, 5);
      assert.match(stderr, message);
    },
  );
}
