import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { once } from 'node:events';
import { AttnswapError } from '../contract/errors.ts';
import { takeMachine } from './alone.ts';
import { formatIdentity, ownIdentity, parseIdentity, stateOf } from './identity.ts';
import type { ProcessIdentity } from './identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-alone-'));
process.env['TMPDIR'] = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

const lock = join(folder, `attnswap-${process.getuid?.() ?? 'user'}.lock`);
const own = ownIdentity();
const write = (identity: ProcessIdentity | string) =>
  writeFileSync(lock, typeof identity === 'string' ? identity : formatIdentity(identity));
const skip = process.platform === 'linux' ? false : 'only Linux tells when a process started';

beforeEach(() => rmSync(lock, { force: true }));

test('one process at a time: the lock names its owner, and goes with it', async () => {
  const release = await takeMachine();
  assert.deepEqual(parseIdentity(readFileSync(lock, 'utf8')), own);
  await assert.rejects(takeMachine(), (error: unknown) => {
    assert.ok(error instanceof AttnswapError);
    assert.equal(error.code, 'BUSY');
    assert.match(error.message, new RegExp(`process ${process.pid}\\)`));
    assert.ok(error.hint?.includes(lock), error.hint);
    return true;
  });
  release();
  assert.deepEqual(readdirSync(folder), []);
});

test('a number that is used again is not the process that took the lock', { skip }, async () => {
  const others: Record<string, ProcessIdentity | string> = {
    'another start': { ...own, start: String(Number(own.start) - 1) },
    'another start of the system': { ...own, boot: '0123456789abcdef' },
    'another container': { ...own, namespace: '1' },
    'a process that is gone': { ...own, pid: 2 ** 22 + 1 },
    'an earlier version of attnswap': String(process.pid),
    'half a file': '',
    rubbish: '../../etc/passwd',
  };
  for (const [what, identity] of Object.entries(others)) {
    write(identity);
    const release = await takeMachine();
    assert.deepEqual(parseIdentity(readFileSync(lock, 'utf8')), own, what);
    release();
  }
});

test('--wait waits until the owner is gone, however it went, and says so once', { skip }, async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)']);
  await once(other, 'spawn');
  const start = readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!;
  write({ ...own, pid: other.pid!, start });
  const said: string[] = [];
  const taken = takeMachine({ wait: true, say: (words) => said.push(words) });
  setTimeout(() => other.kill('SIGKILL'), 1200);
  (await taken)();
  assert.equal(said.length, 1);
  assert.match(said[0]!, new RegExp(`waiting: another attnswap \\(process ${other.pid}\\)`));
  assert.equal(other.signalCode, 'SIGKILL');
});

test('a process that has ended but was not waited for is gone', { skip }, async () => {
  // A shell that does not wait for its child while it sleeps.
  const parent = spawn('bash', ['-c', 'sleep 0.2 & echo $!; exec sleep 30']);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const start = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!;
  const child = { ...own, pid, start };
  assert.equal(stateOf(child), 'alive');
  while (!readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(stateOf(child), 'gone');
  parent.kill('SIGKILL');
});
