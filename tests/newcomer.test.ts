import assert from 'node:assert/strict';
import { copyFileSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { wordTokenizer } from '../src/data/fixtures/word-tokenizer.ts';
import * as bert from './models/torchscript-bert.ts';
import { emptyFolder, suiteText } from './run-cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const cwd = emptyFolder();
// The tests' Node and no other, as an installed command takes the first one on the path; and where npm runs the tests, nothing of its command.
const env = {
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  npm_config_call: undefined,
  npm_config_package: undefined,
};
const minilm = join(root, 'models/paraphrase-minilm-l3.onnx');
const words = 'the quick brown fox jumps over a lazy dog while nine small cats sleep under old trees'.split(' ');
const book = Array.from({ length: 1500 }, (_, at) => words[(Math.imul(at, 2654435761) >>> 9) % words.length]).join(' ');

/** The command as it is installed; a shell's words. */
async function attnswap(line: string, folder = cwd) {
  const given = ['--no-install', 'attnswap', ...line.split(' ')];
  const { exitCode, stdout, stderr } = await execa('npx', given, { cwd: folder, env, reject: false });
  return { exitCode, stdout, stderr };
}

/** The command that the last one named as the next. */
function nextOf(stderr: string): string {
  const [, found] = /^next: attnswap (.+)$/m.exec(stderr) ?? [];
  assert.ok(found, stderr);
  return found;
}

before(async () => {
  await execa('npm', ['pack', '--pack-destination', cwd], { cwd: root });
  const tarball = readdirSync(cwd).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'newcomer', private: true }));
  // As README says: the runtime's own script fetches files for GPUs, and fails where that is blocked.
  const [command = '', ...args] = /^(npm install attnswap .+?)(?: +#.*)?$/m
    .exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!
    .split(' ');
  await execa(command, [...args.map((word) => (word === 'attnswap' ? `./${tarball}` : word)), '--no-audit', '--no-fund'], { cwd, env });
  writeFileSync(join(cwd, 'model.onnx'), bert.build({ seed: 1 }));
  writeFileSync(join(cwd, 'tokenizer.json'), JSON.stringify(wordTokenizer));
  writeFileSync(join(cwd, 'book.txt'), book);
});

/** From a model and a text to a report, in a folder of theirs, by what each command says is next. */
async function migrateAsHinted(folder: string, lengths: string) {
  const sites = await attnswap('sites model.onnx', folder);
  assert.equal(sites.exitCode, 0, sites.stderr);
  assert.match(sites.stdout, /padding/);
  const asked = await attnswap('migrate model.onnx', folder);
  assert.equal(asked.exitCode, 5);
  const hint = /hint: (--data book\.txt --tokenizer tokenizer\.json) --lengths \S+$/m.exec(asked.stderr)?.[1];
  assert.ok(hint, asked.stderr);
  const migrated = await attnswap(`migrate model.onnx ${hint} --lengths ${lengths} --candidate dense.fused --until swap`, folder);
  assert.ok([0, 1, 2].includes(migrated.exitCode!), migrated.stderr);
  assert.match(migrated.stdout, /^Verdict: /m);
  const report = await attnswap(nextOf(migrated.stderr), folder);
  assert.equal(report.exitCode, 0, report.stderr);
  const [page = ''] = report.stdout.trim().split('\n');
  assert.match(readFileSync(join(folder, page), 'utf8'), /^<!doctype html>/i);
  return migrated.stdout;
}

test('sites, migrate and report of an own model and text, by what each command says is next', async () => {
  assert.match(await migrateAsHinted(cwd, '16'), /all 8 items \(16 tokens\)|at 16 tokens/);
});

test('the same of a trained sentence encoder', { skip: existsSync(minilm) ? false : 'npm run fetch-models brings it' }, async () => {
  const folder = join(cwd, 'minilm');
  mkdirSync(folder);
  copyFileSync(minilm, join(folder, 'model.onnx'));
  copyFileSync(join(root, 'models/minilm-tokenizer.json'), join(folder, 'tokenizer.json'));
  writeFileSync(join(folder, 'book.txt'), book);
  assert.match(await migrateAsHinted(folder, '128'), /all 8 items \(128 tokens\)|at 128 tokens/);
});

test('capture leads to waste, and a file of another kind to how to export a model', async () => {
  const captured = await attnswap('capture model.onnx --data book.txt --tokenizer tokenizer.json --lengths 16 --site 0 --out captured');
  assert.equal(captured.exitCode, 0, captured.stderr);
  const waste = await attnswap(nextOf(captured.stderr));
  assert.match(waste.stdout, /of the query–key pairs could be left out/);
  const wrong = await attnswap(`sites ${captured.stdout.trim()}`);
  assert.equal(wrong.exitCode, 5);
  assert.match(wrong.stderr, /a safetensors file: weights without a graph[\s\S]*torch\.onnx\.export/);
});

test('what an installation does not bring is named with the command that brings it', async () => {
  const { stdout } = await attnswap('doctor');
  assert.match(stdout, /✓ onnx-cpu/);
  assert.match(stdout, /tfjs-wasm[\s\S]*?npm install @tensorflow\/tfjs-core @tensorflow\/tfjs-backend-cpu @tensorflow\/tfjs-backend-wasm/);
  for (const file of ['docs/migration.md', 'README.md', 'CHANGELOG.md'])
    assert.ok(existsSync(join(cwd, 'node_modules/attnswap', file)), file);
});

test('one cell is measured, and its report is a page and pictures', async () => {
  writeFileSync(join(cwd, 'one.suite.ts'), suiteText('one', ['dense.fused']));
  const bench = await attnswap('bench ./one.suite.ts --quiet');
  assert.equal(bench.exitCode, 0, bench.stderr);
  assert.match(bench.stdout, /dense\.fused/);
  const report = await attnswap('report runs/one.run.json --format html,png --quiet');
  assert.equal(report.exitCode, 0, report.stderr);
  assert.match(report.stdout, /^reports\/one\.html\nreports\/one\.charts\/latency-1\.png/);
});

test('the links of the package lead to files that it has', () => {
  const folder = join(cwd, 'node_modules/attnswap');
  const texts = globSync('{*.md,{docs,adapters,baselines}/**/*.md}', { cwd: folder });
  assert.ok(texts.includes('README.md') && texts.includes(join('docs', 'ci.md')));
  const dead = texts.flatMap((text) => {
    const links = readFileSync(join(folder, text), 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
    return [...links].filter(([, to]) => !existsSync(join(folder, dirname(text), to!))).map(([, to]) => `${text}: ${to}`);
  });
  assert.deepEqual(dead, []);
});
