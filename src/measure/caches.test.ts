import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cachesOfFirstProcessor } from './caches.ts';

const none = { l1dBytes: null, l1iBytes: null, l2Bytes: null, l3Bytes: null };

function folder(...caches: readonly (readonly [level: string, type: string, size: string])[]) {
  const files = caches.flatMap(([level, type, size], index) =>
    Object.entries({ level, type, size }).map(
      ([name, text]) => [`/sys/devices/system/cpu/cpu0/cache/index${index}/${name}`, text] as const,
    ),
  );
  return (path: string) => new Map<string, string>(files).get(path);
}

test('each cache has the size of one instance, as the first processor sees it', () => {
  const read = folder(['1', 'Data', '48K'], ['1', 'Instruction', '64K'], ['2', 'Unified', '2048K'], ['3', 'Unified', '480M']);
  assert.deepEqual(cachesOfFirstProcessor(read), { l1dBytes: 49152, l1iBytes: 65536, l2Bytes: 2 ** 21, l3Bytes: 480 * 2 ** 20 });
});

test('what is not told, or told in another way, is null', () => {
  assert.deepEqual(
    cachesOfFirstProcessor(() => undefined),
    none,
  );
  assert.deepEqual(cachesOfFirstProcessor(folder(['2', 'Unified', 'large'], ['4', 'Unified', '1M'], ['constructor', '', '1K'])), none);
});
