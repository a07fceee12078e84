import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { formatIdentity, ownIdentity } from './identity.ts';
import { writeWhole } from '../files/whole-file.ts';
import { sweep, temporaryFolder } from './temporary.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-temporary-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const skip = process.platform === 'linux' ? false : 'only Linux tells when a process started';

test('what killed processes left is swept; what may be in use is not, nor what is not ours', { skip }, () => {
  const own = ownIdentity();
  const gone = { ...own, start: String(Number(own.start) - 1) };
  const make = (name: string, ageDays = 0) => {
    mkdirSync(join(folder, name, 'inner'), { recursive: true });
    writeFileSync(join(folder, name, 'inner', 'file'), 'content');
    const at = new Date(Date.now() - ageDays * 86_400_000);
    utimesSync(join(folder, name), at, at);
    return name;
  };
  const of = (identity: typeof own) => `attnswap-of-${formatIdentity(identity)}-aB3xYz`;
  const kept = [
    make(of(own)),
    make(of({ ...own, namespace: '1' }), 6),
    make(of({ ...own, boot: '0123456789abcdef' }), 6),
    make('attnswap-test-aB3xYz', 400),
    make('attnswap-of-someone-else', 400),
    make('unrelated', 400),
  ];
  make(of(gone));
  make(of({ ...own, namespace: '2' }), 8);
  make(of({ ...own, boot: 'fedcba9876543210' }), 8);
  sweep(folder);
  assert.deepEqual(readdirSync(folder).toSorted(), kept.toSorted());
});

test(
  'a process has one folder for all of its temporary files; it goes with it, and the next process takes away what a kill left',
  { skip },
  () => {
    const module = new URL('./temporary.ts', import.meta.url).href;
    const within = mkdtempSync(join(folder, 'tmp-'));
    const run = (then: string) => {
      const program = `const { temporaryFolder } = await import('${module}'); console.log(await temporaryFolder('a')); await temporaryFolder('b'); ${then}`;
      return execFileSync('bash', ['-c', '"$0" --input-type=module --eval "$1" || true', process.execPath, program], {
        env: { ...process.env, TMPDIR: within },
        encoding: 'utf8',
      });
    };
    run('');
    assert.deepEqual(readdirSync(within), []);
    const left = run("process.kill(process.pid, 'SIGKILL');").trim();
    assert.deepEqual(readdirSync(within), [basename(dirname(left))]);
    run('');
    assert.deepEqual(readdirSync(within), []);
  },
);

test('what a killed process left of a file that it was writing goes with the next file beside it', { skip }, async () => {
  const runs = mkdtempSync(join(folder, 'runs-'));
  const module = new URL('../files/whole-file.ts', import.meta.url).href;
  // Killed between the last byte and the rename.
  const program = `const promises = (await import('node:fs/promises')).default;
    promises.rename = () => process.kill(process.pid, 'SIGKILL');
    (await import('node:module')).syncBuiltinESMExports();
    await (await import('${module}')).writeWhole(process.argv[1], 'new');`;
  const args = ['--input-type=module', '--eval', program, join(runs, 'a.json')];
  assert.equal(spawnSync(process.execPath, args).signal, 'SIGKILL');
  assert.equal(readdirSync(runs).length, 1);
  await writeWhole(join(runs, 'b.json'), 'other');
  assert.deepEqual(readdirSync(runs), ['b.json']);
});

test('a temporary folder that takes no files is said, with the way out', () => {
  const module = new URL('./temporary.ts', import.meta.url).href;
  const program = `const { temporaryFolder } = await import('${module}'); await temporaryFolder('a').catch((error) => console.log(error.code, error.message, error.hint))`;
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, TMPDIR: join(folder, 'nowhere') },
    encoding: 'utf8',
  });
  assert.match(said, /^FILE_UNWRITABLE the temporary folder \S+nowhere cannot be used: no such file.*TMPDIR=/);
});

test('a folder that was cleaned away during a long run is made again', async () => {
  const first = await temporaryFolder('first');
  rmSync(dirname(first), { recursive: true });
  const second = await temporaryFolder('second');
  assert.equal(dirname(second), dirname(first));
});
