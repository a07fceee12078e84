import { createPrivateKey } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import { AttnswapError } from '../../src/contract/errors.ts';
import { cellField, fieldOf, sealed, untrustedJson } from '../../src/fleet/entries.ts';
import { listHosts } from '../../src/fleet/hosts.ts';
import { hostIdOf, keyOf, keyring, trustedKeys } from '../../src/fleet/keys.ts';
import { readParts } from '../../src/fleet/parts.ts';
import type { Part } from '../../src/fleet/parts.ts';
import { readSubmission } from '../../src/fleet/submissions.ts';
import { sampleRun } from '../../src/report/fixtures/sample-run.ts';
import { addRecords } from '../../src/store/add.ts';
import { compactStore } from '../../src/store/compact.ts';
import { recordsFolder } from '../../src/store/parts.ts';
import { mediansOf, runOf, storedRuns, storedVerdicts } from '../../src/store/read.ts';
import { tamed } from '../../src/text/untrusted.ts';
import { sampleComparison, sampleVerdict } from '../../src/verdict/fixtures/sample-verdict.ts';
import { damagedBytes, damagedDocument, difference, pick } from './damage.ts';
import type { Reader } from './endure.ts';

type Bytes = Uint8Array;
const run = sampleRun({ variants: ['dense.fused', 'window.tiled:w=8'], lengths: [64] });

/** Readers of what many runs and many machines share: the store, and what a fleet's hosts write. */
export async function storeReaders(folder: string): Promise<Reader[]> {
  return [
    await storeReader(join(folder, 'stores')),
    await fleetReader(),
    submissionReader(),
    hostsReader(),
    keysReader(join(folder, 'keys')),
  ];
}

/** Every file of a part has a checksum: records are read as they were added, or not at all. */
async function storeReader(folder: string): Promise<Reader> {
  const source = join(folder, 'whole');
  await mkdir(source, { recursive: true });
  for (const [name, record] of Object.entries({ run, verdict: sampleVerdict([sampleComparison()]) })) {
    await writeFile(join(source, name), JSON.stringify(record));
    await addRecords(source, [join(source, name)]);
  }
  await compactStore(source);
  const part = join(recordsFolder(source), '000003');
  const files = new Map<string, Bytes>();
  for (const name of await readdir(part)) files.set(name, await readFile(join(part, name)));
  const expected = await contentsOf(source);
  let stores = 0;
  return {
    name: 'store',
    share: 8,
    whole: [[...files][0]!],
    damaged(draw) {
      const [name, bytes] = pick([...files], draw);
      return [name, damagedBytes(bytes, draw)];
    },
    async read(damaged) {
      // A part of its own: what is in a part never changes.
      const store = join(folder, String((stores += 1)));
      const at = join(recordsFolder(store), '000003');
      await mkdir(at, { recursive: true });
      for (const [name, bytes] of new Map([...files, damaged])) await writeFile(join(at, name), bytes);
      try {
        return isDeepStrictEqual(await contentsOf(store), expected) ? undefined : 'other records than were added';
      } finally {
        await rm(store, { recursive: true });
      }
    },
  } satisfies Reader<[name: string, bytes: Bytes]> as Reader;
}

async function contentsOf(store: string): Promise<unknown> {
  const runs = await storedRuns(store);
  const records = await Promise.all(runs.map(runOf));
  return [runs.map((each) => ({ ...each, at: undefined })), records, await mediansOf(runs), await storedVerdicts(store)];
}

/** Of a host's seed, so that the same inputs come out every time. */
const key = keyOf(
  String(
    createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
      format: 'der',
      type: 'pkcs8',
    }).export({ type: 'pkcs8', format: 'pem' }),
  ),
  'key',
);
const place = { submission: 'abcdefghijkl', run: 0 };

/** Every entry is signed for its place: it is taken as it was written, or left out. */
async function fleetReader(): Promise<Reader> {
  const { schema: _, endedAt, complete: __, cells, ...head } = run;
  const values: ReadonlyArray<readonly [field: string, value: unknown]> = [
    [fieldOf(key.id, 'head'), { ...head, rank: 0 }],
    ...cells.map((cell) => [cellField(key.id, cell.id), cell] as const),
    [fieldOf(key.id, 'end'), { outcome: 'done', endedAt }],
  ];
  const whole = values.map(([field, value]): [string, string] => [field, sealed(key, place, field, value)]);
  const read = (entries: ReadonlyArray<readonly [string, string]>) => {
    const client = { memory: async () => 1, hgetall: async () => Object.fromEntries(entries) };
    return readParts(client as unknown as Redis, place, keyring([key.publicKey]));
  };
  const [expected] = (await read(whole)).parts;
  const isWritten = ({ host, head: found, end, cells: own }: Part) =>
    host === expected!.host &&
    [found, expected!.head].some((each) => each === undefined || isDeepStrictEqual(found, expected!.head)) &&
    (end === undefined || isDeepStrictEqual(end, expected!.end)) &&
    [...own].every(([id, cell]) => isDeepStrictEqual(cell, expected!.cells.get(id)));
  return {
    name: 'fleet entries',
    share: 6,
    whole: [whole],
    damaged: (draw) => {
      const at = draw(whole.length);
      const part = draw(4) === 0 ? 0 : 1;
      const text = Buffer.from(damagedBytes(Buffer.from(whole[at]![part]), draw)).toString();
      return whole.map((entry, index): [string, string] => (index !== at ? entry : part === 0 ? [text, entry[1]] : [entry[0], text]));
    },
    async read(entries) {
      const { parts } = await read(entries);
      return parts.length <= 1 && parts.every(isWritten) ? undefined : 'another entry than was signed';
    },
  } satisfies Reader<Array<[string, string]>> as Reader;
}

/** Whoever has the password can write a submission. */
function submissionReader(): Reader {
  const matrix = { variants: ['dense.fused', 'window:w=8'], backends: ['onnx-cpu'], lengths: [64], heads: 2, headDim: 16 };
  const suite = { data: { name: 'mine', matrix }, sha256: 'a'.repeat(64) };
  const whole = { suite, submittedAt: '2026-06-10T00:00:00.000Z', runs: [{ host: key.id, repeat: 1 }] };
  const bytes = Buffer.from(JSON.stringify(whole));
  return {
    name: 'submission',
    share: 6,
    whole: [bytes],
    damaged: damagedDocument(bytes),
    async read(given) {
      const text = Buffer.from(given).toString();
      const client = { strlen: async () => text.length, get: async () => text };
      const { runs } = await readSubmission(client as unknown as Redis, place.submission);
      return difference({ runs }, untrustedJson(text));
    },
  } satisfies Reader<Bytes> as Reader;
}

/** And what a host says of itself. */
function hostsReader(): Reader {
  const whole = { name: 'alpha', publicKey: key.publicKey, labels: { os: 'linux', gpu: 'none' }, version: '1.2.3', lostAfterMs: 60_000 };
  const bytes = Buffer.from(JSON.stringify(whole));
  return {
    name: 'hosts',
    share: 6,
    whole: [bytes],
    damaged: damagedDocument(bytes),
    async read(given) {
      const text = Buffer.from(given).toString();
      const client = {
        time: async () => ['1800000000', '0'],
        zrevrange: async () => [key.id, '1800000000000'],
        memory: async () => text.length,
        hgetall: async () => ({ [key.id]: text }), // What it does now is text, too.
      };
      const [host] = await listHosts(client as unknown as Redis);
      if (host === undefined) throw new AttnswapError('INVALID_FLEET', 'no host');
      const { id: _, doing: __, ...said } = host;
      return difference(said, tamed(untrustedJson(text)));
    },
  } satisfies Reader<Bytes> as Reader;
}

function keysReader(path: string): Reader {
  const other = key.publicKey.replace(/.{4}$/, 'AAAA');
  const whole = Buffer.from(`# hosts\n${key.publicKey} the first\n${other}\n`);
  return {
    name: 'keys',
    share: 5,
    whole: [whole],
    damaged: (draw) => damagedBytes(whole, draw),
    async read(bytes) {
      await writeFile(path, bytes);
      const named = new Set(
        (
          Buffer.from(bytes)
            .toString()
            .match(/attnswap-ed25519:[\w-]{43}/g) ?? []
        ).map(hostIdOf),
      );
      return [...(await trustedKeys(path)).keys()].every((id) => named.has(id)) ? undefined : 'a key that is not there';
    },
  } satisfies Reader<Bytes> as Reader;
}
