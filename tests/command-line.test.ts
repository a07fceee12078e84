import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { commandNames, loadCommands } from '../src/cli/commands/index.ts';
import { attnswap, emptyFolder, main, suiteText } from './run-cli.ts';

const specs = (await loadCommands(undefined)).flatMap(({ commands }) => commands);

/** Lines and columns of a screen. */
const screen = { lines: 40, columns: 100 };

for (const { name } of specs) {
  test(`the help of ${name} fits one screen, and ends with examples and exit codes`, async () => {
    const { exitCode, stdout } = await attnswap([...name.split(' '), '--help']);
    const lines = stdout.split('\n');
    assert.equal(exitCode, 0);
    assert.ok(lines.length <= screen.lines, `${lines.length} lines`);
    assert.deepEqual(
      lines.filter((line) => line.length > screen.columns),
      [],
    );
    assert.match(stdout, /\nExamples:\n {2}\$ attnswap .*\n[^]*Exit codes: 0 pass, [^]*5 error,\s+130\s+interrupted [^]*\.$/);
  });
}

test('--help lists every command under a heading, on one screen', async () => {
  const { exitCode, stdout } = await attnswap(['--help']);
  assert.equal(exitCode, 0);
  assert.ok(stdout.split('\n').length <= screen.lines);
  for (const name of commandNames) assert.match(stdout, new RegExp(`^  ${name}( |$)`, 'm'));
  assert.match(stdout, /^Migrate a model:$/m);
});

test('a command loads nothing of the others: --version loads no adapter, no runtime, no report', async () => {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { if (/\\/(adapters|onnx[a-z-]*|vega|zod|execa|src\\/operations)\\//.test(url)) console.error(url); return next(url, context); } });`;
  const { stdout, stderr } = await execa(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(hook)}`,
    main,
    '--version',
  ]);
  assert.match(stdout, /^\d+\.\d+\.\d+$/);
  assert.equal(stderr, '');
});

const refusals: Readonly<Record<string, { readonly args: readonly string[]; readonly says: RegExp }>> = {
  'a testbed for migrate': {
    args: ['migrate', 'tune-recall', '--goal', 'memory'],
    says: /migrate is for ONNX and PyTorch models.*\n.*attnswap tune tune-recall/,
  },
  'a model for tune': { args: ['tune', 'model.onnx'], says: /tune is for testbeds.*\n.*attnswap migrate model\.onnx/ },
  'a PyTorch model for tune': { args: ['tune', 'my.py:build'], says: /tune is for testbeds.*\n.*attnswap migrate my\.py:build/ },
  'a goal for a testbed': { args: ['tune', 'tune-recall', '--goal', 'memory'], says: /tune does not take --goal.*\n.*attnswap migrate/ },
  'data for a testbed': { args: ['tune', 'tune-recall', '--data', 'nothing.txt'], says: /tune does not take --data/ },
  'a trainer for a model': {
    args: ['migrate', 'model.onnx', '--trainer', 'torch-cpu'],
    says: /migrate does not take --trainer.*\n.*attnswap tune/,
  },
  'training of an ONNX model': {
    args: ['migrate', 'model.onnx', '--data', 'nothing.txt', '--recover', 'transfer'],
    says: /--recover is for PyTorch models, and this is an ONNX model/,
  },
  'gradients of an ONNX model': {
    args: ['migrate', 'model.onnx', '--data', 'nothing.txt', '--backward'],
    says: /--backward is for PyTorch models, and this is an ONNX model/,
  },
  'training by what there is not': {
    args: ['migrate', 'my-bert', '--recover', 'transfer:speed=1'],
    says: /speed=1: expected steps, labels or patience \(whole numbers from 0\)/,
  },
  'training without a step': {
    args: ['migrate', 'my.py:build', '--data', 'nothing.txt', '--recover', 'transfer:steps=0,labels=0'],
    says: /steps=0,labels=0: nothing to train/,
  },
  'ranks without training': {
    args: ['migrate', 'my.py:build', '--data', 'nothing.txt', '--ranks', '2'],
    says: /--ranks is for training[\s\S]*--recover transfer --ranks 2/,
  },
  'DeepSpeed in one process': {
    args: ['migrate', 'my.py:build', '--data', 'nothing.txt', '--recover', 'transfer', '--deepspeed', 'zero3'],
    says: /--deepspeed zero3 is for several ranks[\s\S]*--recover transfer --ranks 2 --deepspeed zero3/,
  },
  'batches that ranks cannot share': {
    args: ['migrate', 'my.py:build', '--data', 'nothing.txt', '--recover', 'transfer:batch=3', '--ranks', '2'],
    says: /batch=3: expected a multiple of --ranks 2/,
  },
  'a length for sites without data': { args: ['sites', 'model.onnx', '--lengths', '7'], says: /--lengths applies only to --data/ },
  'a length for the models of a folder without data': { args: ['sites', '.', '--lengths', '7'], says: /--lengths applies only to --data/ },
  'data for sites of a PyTorch model': {
    args: ['sites', 'my.py:build', '--data', 'items.npz'],
    says: /--data: sites are found in PyTorch models with random inputs/,
  },
  'items for a swap of a PyTorch model': {
    args: ['swap', 'my.py:build', '--variant', 'dense.fused', '--items', '3', '--out', 'new'],
    says: /--items: swap compares PyTorch models only on random inputs/,
  },
  'items for a swap without data': {
    args: ['swap', 'model.onnx', '--variant', 'dense.fused', '--items', '3', '--out', 'new.onnx'],
    says: /--items applies only to --data/,
  },
  'a length for models': { args: ['ab', 'a.onnx', 'b.onnx', '--length', '64'], says: /--length applies only to variants/ },
  'a dimension for variants': { args: ['ab', 'dense', '--dim', 'batch=1'], says: /--dim applies only to models/ },
  'a server that is none': { args: ['fleet', 'status', '--redis', 'nonsense'], says: /hint: set it with --redis/ },
  'a mistyped suite': { args: ['bench', 'smok'], says: /unknown suite "smok".*\n.*did you mean smoke\?/ },
  'an output of another kind': { args: ['bench', 'smoke', '--out', 'run.sarif'], says: /ending in \.json, \.csv, \.md, \.html/ },
  'a template that there is none of': { args: ['init', 'project'], says: /expected suite, data, ci/ },
  'a shell that there is no script for': { args: ['completion', 'tcsh'], says: /expected bash, zsh, fish/ },
};

for (const [name, { args, says }] of Object.entries(refusals)) {
  test(`refused before anything runs, with exit 5: ${name}`, async () => {
    const cwd = emptyFolder();
    const { exitCode, stdout, stderr } = await attnswap(args, { cwd });
    assert.equal(exitCode, 5);
    assert.equal(stdout, '');
    assert.match(stderr, says);
  });
}

test('--out is repeated, one form per ending; the old spelling works, with a note', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'mine.suite.ts'), suiteText('mine', ['dense.fused']));
  const forms = ['mine.run.json', 'mine.csv', 'mine.md', 'mine.html'];
  const args = ['bench', './mine.suite.ts', ...forms.flatMap((file) => ['--out', file]), '--csv', 'old.txt'];
  const { exitCode, stderr } = await attnswap(args, { cwd });
  assert.equal(exitCode, 0, stderr);
  for (const file of forms) assert.ok(existsSync(join(cwd, file)), file);
  assert.equal(readFileSync(join(cwd, 'old.txt'), 'utf8'), readFileSync(join(cwd, 'mine.csv'), 'utf8'));
  assert.match(stderr, /note: --csv is deprecated: use --out file\.csv/);
});

test('init writes what the other commands take, and overwrites nothing', async () => {
  const cwd = emptyFolder();
  for (const what of ['suite', 'data', 'ci']) {
    assert.equal((await attnswap(['init', what], { cwd })).exitCode, 0);
    const again = await attnswap(['init', what], { cwd });
    assert.equal(again.exitCode, 5);
    assert.match(again.stderr, /already exists; nothing was written/);
  }
  const workflow = readFileSync(join(cwd, '.github/workflows/attnswap.yml'), 'utf8');
  assert.match(workflow, /attnswap gate my\.suite\.ts/);
  assert.match(readFileSync(join(cwd, 'my.suite.ts'), 'utf8'), /name: 'mine'/);
});

test('list names suites, variants with their defaults, backends and metrics', async () => {
  const { exitCode, stdout } = await attnswap(['list']);
  assert.equal(exitCode, 0);
  for (const line of [/^window +w \(256\), globals \(0\) +tiled/m, /^longest /m, /^tune-recall /m, /onnx-cpu/, /scored-pairs/])
    assert.match(stdout, line);
});

/** What each shell completes a line to, with a script of ours in a folder with `model.onnx`; bash is asked for its function's answer alone. */
const completers: Readonly<Record<string, (line: string, cwd: string) => Promise<string>>> = {
  async bash(line, cwd) {
    const words = line.split(' ');
    const ask = `source ./script; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _attnswap; echo "\${COMPREPLY[*]}"`;
    return (await execa('bash', ['-c', ask], { cwd })).stdout || 'a file';
  },
  async zsh(line, cwd) {
    const { stdout } = await execa('zsh', ['-f', join(import.meta.dirname, 'fixtures/complete.zsh'), './script', line], { cwd });
    return /<attnswap .*?(\S+) ?>/.exec(stdout)?.[1] ?? stdout;
  },
  async fish(line, cwd) {
    const { stdout } = await execa('fish', ['--no-config', '-c', `source ./script; complete -C '${line}'`], { cwd });
    return stdout.replace(/\t.*/, '');
  },
};

for (const [shell, complete] of Object.entries(completers)) {
  const missing = (await execa(shell, ['--version'], { reject: false })).failed && `${shell} is not installed`;
  test(`${shell} completes commands, suites, options and files`, { skip: missing, timeout: 60_000 }, async () => {
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'script'), (await attnswap(['completion', shell])).stdout);
    writeFileSync(join(cwd, 'model.onnx'), '');
    assert.equal(await complete('attnswap mig', cwd), 'migrate');
    assert.equal(await complete('attnswap bench long', cwd), 'longest');
    assert.equal(await complete('attnswap ab --no-c', cwd), '--no-causal');
    assert.equal(await complete('attnswap baseline sa', cwd), 'save');
    assert.equal(await complete('attnswap sites mod', cwd), shell === 'bash' ? 'a file' : 'model.onnx');
  });
}
