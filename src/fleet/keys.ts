import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { readText } from '../files/read-bytes.ts';
import { createFile } from '../files/whole-file.ts';
import { systemReason } from '../files/system-reason.ts';

/** A host of the fleet: whoever has its private key. */
export interface HostKey {
  /** 32 hexadecimal digits of the SHA-256 of its public key. */
  readonly id: string;
  /** `attnswap-ed25519:` and the 32 bytes of the public key in base64url. */
  readonly publicKey: string;
  /** The signature of a text, in base64url. */
  sign(text: string): string;
}

const prefix = 'attnswap-ed25519:';
const publicKeyPattern = /^attnswap-ed25519:([A-Za-z0-9_-]{43})$/;
export const hostIdPattern = /^[0-9a-f]{32}$/;
const whereKeysAre = 'one key per line: attnswap fleet join prints that of its host, attnswap fleet status lists all';
/** What a file of keys may hold. */
const limit = { bytes: 2 ** 20, hint: 'one public key per line' };

/** The key in a file, which is made where there is none. @throws FILE_UNREADABLE, FILE_UNWRITABLE, INVALID_FLEET where it is another kind of key */
export async function hostKey(path: string): Promise<HostKey> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new AttnswapError('FILE_UNREADABLE', `${path}: ${systemReason(error)}`, { hint: 'check the path', cause: error });
  });
  return keyOf(found ?? (await newKey(path)), path);
}

async function newKey(path: string): Promise<string> {
  const pem = newPrivateKey();
  try {
    await mkdir(dirname(path), { recursive: true });
    await createFile(path, [Buffer.from(pem)]);
    await chmod(path, 0o600);
  } catch (error) {
    if (error instanceof AttnswapError) return readFile(path, 'utf8'); // Another process made one since.
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: the key could not be written: ${systemReason(error)}`, {
      hint: 'choose another file with --key',
      cause: error,
    });
  }
  return pem;
}

/** A new private key, as PEM. */
export function newPrivateKey(): string {
  return String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** @throws INVALID_FLEET */
export function keyOf(pem: string, source: string): HostKey {
  const privateKey = ed25519(() => createPrivateKey(pem), source);
  const publicKey = textOf(createPublicKey(privateKey));
  return { id: hostIdOf(publicKey), publicKey, sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64url') };
}

function ed25519(read: () => KeyObject, source: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {
    // Told below.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new AttnswapError('INVALID_FLEET', `${source}: expected an Ed25519 private key (PKCS #8, PEM)`, {
    hint: 'move the file away; attnswap fleet join writes a new key',
  });
}

function textOf(publicKey: KeyObject): string {
  return `${prefix}${(publicKey.export({ format: 'jwk' }) as { x: string }).x}`;
}

export function hostIdOf(publicKey: string): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, 32);
}

/** Public keys by host, each imported once. */
export type Keyring = ReadonlyMap<string, KeyObject>;

/** The keys among the given texts that are keys. */
export function keyring(publicKeys: readonly string[]): Keyring {
  const keys = new Map<string, KeyObject>();
  for (const text of publicKeys) {
    const [, x] = publicKeyPattern.exec(text) ?? [];
    if (x !== undefined) keys.set(hostIdOf(text), createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
  }
  return keys;
}

export function isSignedBy(key: KeyObject, text: string, signature: string): boolean {
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
}

/** The hosts that a file of public keys names, one key per line, followed by a comment if wanted. @throws FILE_UNREADABLE, INVALID_FLEET */
export async function trustedKeys(path: string): Promise<Keyring> {
  const text = await readText(path, limit).catch((error: unknown) => {
    if (!(error instanceof AttnswapError)) throw error;
    throw new AttnswapError(error.code, error.message, { hint: whereKeysAre, cause: error });
  });
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(/\s/)[0]!);
  const wrong = keys.find((key) => !publicKeyPattern.test(key));
  if (wrong === undefined && keys.length > 0) return keyring(keys);
  const found = wrong === undefined ? 'holds no key' : `${JSON.stringify(wrong.slice(0, 80))} is no key`;
  throw new AttnswapError('INVALID_FLEET', `${path}: ${found}, expected lines such as ${prefix}…`, { hint: whereKeysAre });
}
