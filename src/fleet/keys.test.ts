import assert from 'node:assert/strict';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKeyPairSync } from 'node:crypto';
import { opened, sealed } from './entries.ts';
import { hostKey, keyOf, keyring, newPrivateKey, trustedKeys } from './keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-keys-'));
const place = { submission: 'abcdefghijkl', run: 3 };

test('a key is made once, for its owner alone, and read again', async () => {
  const path = join(folder, 'new/key.pem');
  const made = await hostKey(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual((await hostKey(path)).publicKey, made.publicKey);
  assert.match(made.publicKey, /^attnswap-ed25519:[\w-]{43}$/);
  assert.match(made.id, /^[0-9a-f]{32}$/);
});

test('a key of another kind is refused', async () => {
  const path = join(folder, 'rsa.pem');
  writeFileSync(path, generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await assert.rejects(hostKey(path), { code: 'INVALID_FLEET' });
  writeFileSync(path, 'nonsense');
  await assert.rejects(hostKey(path), { code: 'INVALID_FLEET' });
});

test('an entry opens at its place alone, and only with its signer in the ring', () => {
  const [a, b] = [keyOf(newPrivateKey(), 'a'), keyOf(newPrivateKey(), 'b')];
  const field = `${a.id}:head`;
  const text = sealed(a, place, field, { cells: [1.5] });
  const ring = keyring([a.publicKey]);
  assert.deepEqual(opened(ring, place, field, text), { cells: [1.5] });
  assert.equal(opened(ring, { ...place, run: 4 }, field, text), undefined, 'another run');
  assert.equal(opened(ring, place, `${a.id}:end`, text), undefined, 'another field');
  assert.equal(opened(ring, place, field, text.replace('1.5', '2.5')), undefined, 'another value');
  assert.equal(opened(keyring([b.publicKey]), place, field, text), undefined, 'nobody trusts it');
  assert.equal(opened(ring, place, field, sealed(b, place, field, 1)), undefined, 'signed by another host');
  assert.equal(opened(ring, place, field, ''), undefined);
});

test('a file of trusted keys has a key per line, with comments; anything else is named', async () => {
  const key = keyOf(newPrivateKey(), 'key');
  const path = join(folder, 'trust');
  writeFileSync(path, `# hosts\n\n${key.publicKey} alpha, in the cellar\n`);
  assert.deepEqual([...(await trustedKeys(path)).keys()], [key.id]);
  writeFileSync(path, `${key.publicKey}\nssh-ed25519 AAAA\n`);
  await assert.rejects(trustedKeys(path), /"ssh-ed25519" is no key/);
  writeFileSync(path, '# nobody\n');
  await assert.rejects(trustedKeys(path), /holds no key/);
  await assert.rejects(trustedKeys(join(folder, 'nowhere')), { code: 'FILE_UNREADABLE' });
});
