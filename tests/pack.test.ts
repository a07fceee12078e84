import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { emptyFolder, suiteText } from './run-cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the packed tarball installs into an empty folder, where its links, doctor, one cell and its report work', async () => {
  const cwd = emptyFolder();
  await execa('npm', ['pack', '--pack-destination', cwd], { cwd: root });
  const [tarball = ''] = readdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'elsewhere', private: true, type: 'module' }));
  await execa('npm', ['install', `./${tarball}`, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd });
  assert.deepEqual(deadLinks(join(cwd, 'node_modules/attnswap')), []);
  const cli = join(cwd, 'node_modules/attnswap/dist/src/cli/attnswap.js');
  const doctor = await execa(process.execPath, [cli, 'doctor'], { cwd });
  assert.match(doctor.stdout, /✓ onnx-cpu/);
  writeFileSync(join(cwd, 'one.suite.ts'), suiteText('one', ['dense.fused']));
  const bench = await execa(process.execPath, [cli, 'bench', './one.suite.ts', '--quiet'], { cwd });
  assert.match(bench.stdout, /dense\.fused/);
  const report = await execa(process.execPath, [cli, 'report', 'runs/one.run.json', '--format', 'html,png', '--quiet'], { cwd });
  assert.match(report.stdout, /^reports\/one\.html\nreports\/one\.charts\/latency-1\.png/);
});

/** Links of a package's texts to files that it lacks. */
function deadLinks(folder: string): string[] {
  const texts = globSync('{*.md,{docs,adapters,baselines}/**/*.md}', { cwd: folder });
  assert.ok(texts.includes('README.md') && texts.includes(join('docs', 'ci.md')));
  return texts.flatMap((text) => {
    const links = readFileSync(join(folder, text), 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g);
    return [...links].filter(([, to]) => !existsSync(join(folder, dirname(text), to!))).map(([, to]) => `${text}: ${to}`);
  });
}
