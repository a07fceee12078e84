import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
const words = 'the quick brown fox jumps over a lazy dog while nine small cats sleep under old trees'.split(' ');

/** The command as it is installed; a shell's words. */
async function attnswap(line: string) {
  const { exitCode, stdout, stderr } = await execa('npx', ['--no-install', 'attnswap', ...line.split(' ')], { cwd, env, reject: false });
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
  writeFileSync(
    join(cwd, 'book.txt'),
    Array.from({ length: 1500 }, (_, at) => words[(Math.imul(at, 2654435761) >>> 9) % words.length]).join(' '),
  );
});

test('sites, migrate and report of an own model and text, by what each command says is next', async () => {
  const sites = await attnswap('sites model.onnx');
  assert.equal(sites.exitCode, 0, sites.stderr);
  assert.match(sites.stdout, /padding/);
  const asked = await attnswap('migrate model.onnx');
  assert.equal(asked.exitCode, 5);
  const hint = /hint: (--data book\.txt --tokenizer tokenizer\.json) --lengths \S+$/m.exec(asked.stderr)?.[1];
  assert.ok(hint, asked.stderr);
  const migrated = await attnswap(`migrate model.onnx ${hint} --lengths 16,24 --candidate dense.fused --until swap`);
  assert.ok([0, 1, 2].includes(migrated.exitCode!), migrated.stderr);
  assert.match(migrated.stdout, /^Verdict: /m);
  assert.match(migrated.stdout, /all 16 items \(16 and 24 tokens\)|at 24 tokens/);
  const report = await attnswap(nextOf(migrated.stderr));
  assert.equal(report.exitCode, 0, report.stderr);
  const [page = ''] = report.stdout.trim().split('\n');
  assert.match(readFileSync(join(cwd, page), 'utf8'), /^<!doctype html>/i);
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
