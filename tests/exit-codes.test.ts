import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { attnswap, emptyFolder, main, suiteText, untilSaid } from './run-cli.ts';

const run = (args: readonly string[], options: { cwd?: string } = {}) =>
  execa(process.execPath, [main, ...args], { reject: false, ...options });
/** With a file that takes nothing in place of one output. */
function runFull(output: 'stdout' | 'stderr', args: readonly string[], cwd = '.') {
  const full = openSync('/dev/full', 'w');
  const stdio = output === 'stdout' ? (['ignore', full, 'pipe'] as const) : (['ignore', 'pipe', full] as const);
  return spawnSync(process.execPath, [main, ...args], { cwd, stdio: [...stdio], encoding: 'utf8' });
}
const hasFull = existsSync('/dev/full') ? false : 'there is no /dev/full';

test('what nothing catches ends with 5, wherever it is thrown', async () => {
  const cwd = emptyFolder();
  const faults = {
    thrown: 'setTimeout(() => { throw new Error("out of the blue"); });\n',
    rejected: 'void Promise.reject(new Error("out of the blue"));\n',
    'not-an-error': 'setTimeout(() => { throw undefined; });\n',
    unsettled: 'await new Promise(() => undefined);\n',
  };
  for (const [name, fault] of Object.entries(faults)) {
    writeFileSync(join(cwd, `${name}.suite.ts`), fault + suiteText(name, ['dense.fused']));
    const { exitCode } = await run(['bench', `./${name}.suite.ts`], { cwd });
    assert.equal(exitCode, 5, name);
  }
});

test('a result that cannot be written is exit 5, and says why', { skip: hasFull }, () => {
  const { status, stderr } = runFull('stdout', ['--help']);
  assert.equal(status, 5);
  assert.match(stderr, /standard output could not be written: ENOSPC/);
});

test('remarks that cannot be written change no exit code', { skip: hasFull }, () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'one.suite.ts'), suiteText('one', ['dense.fused']));
  assert.equal(runFull('stderr', ['bench', './one.suite.ts'], cwd).status, 0);
  assert.equal(runFull('stderr', ['bench', './nowhere.suite.ts'], cwd).status, 5);
});

test('a reader that goes away changes no exit code, on either output', { skip: process.platform === 'win32' }, () => {
  const code = (command: string) =>
    execFileSync('bash', ['-c', `${command}; echo " \${PIPESTATUS[0]}"`, process.execPath, main], { encoding: 'utf8' }).trim();
  assert.equal(code('"$0" "$1" --help | true'), '0');
  assert.equal(code('"$0" "$1" baseline show nothing 2>&1 >/dev/null | true'), '5');
  assert.equal(code('"$0" "$1" bench nothing 2>&1 >/dev/null | true'), '5');
});

const oldNodes = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .filter((path) => existsSync(path) && /^v(1\d|20|21)\./.test(execFileSync(path, ['--version'], { encoding: 'utf8' })));

test(
  'a Node that is too old is told in a sentence',
  { skip: oldNodes.length > 0 ? false : 'no Node before 22 is on the path' },
  async () => {
    const { exitCode, stderr } = await execa(oldNodes[0]!, [main, 'doctor'], { reject: false });
    assert.equal(exitCode, 5);
    assert.match(stderr, /^attnswap: Node 22\.18 or newer is needed, and this is Node \d+\.\d+\.\d+ \[UNSUPPORTED\]\n {2}hint: .*$/);
  },
);

test("the entry asks for the Node that package.json's engines name", () => {
  const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { engines: { node: string } };
  assert.ok(readFileSync(main, 'utf8').includes(`const least = '${engines.node.replace('>=', '')}';`));
});

test('an interruption has the exit code that shells give it, by whatever signal', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'long.suite.ts'), suiteText('long', ['dense.fused', 'dense.naive', 'dense.tiled', 'window:w=8']));
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const child = run(['bench', './long.suite.ts'], { cwd });
    await untilSaid(child, '[1/');
    child.kill(signal);
    assert.equal((await child).exitCode, code, signal);
    const record = JSON.parse(readFileSync(join(cwd, 'runs/long.run.json'), 'utf8')) as { complete: boolean };
    assert.equal(record.complete, false);
  }
});

test('help and README tell every exit code', async () => {
  const { stdout } = await attnswap(['gate', '--help']);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const code of ['0 pass', '1 regression', '2 inconclusive', '3 incomplete', '4 incomparable', '5 error', '130', '143', '129']) {
    assert.ok(stdout.includes(code), `--help: ${code}`);
    assert.ok(readme.replaceAll('\n', ' ').includes(code), `README: ${code}`);
  }
});
