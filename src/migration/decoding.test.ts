import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as gqa from '../../tests/models/gqa-decoder.ts';
import { inMemory, runner, subjectOf } from '../../tests/subjects.ts';
import { findCache } from '../model/cache/find-cache.ts';
import { cacheSizeOf, call, firstTokens, greedyIds, idsIn, nextCall } from '../model/cache/drive.ts';
import { lastRow } from '../model/cache/rows.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import { decodingOf } from './decoding.ts';
import type { Migration } from './migration.ts';
import { OriginalOutputs } from './original-outputs.ts';

test('a token is decoded behind an item, or behind all but its last token where the model takes no more', async () => {
  const file = inMemory('gqa', gqa.build());
  const { sites } = await subjectOf(file);
  const cache = (await findCache(sites, file, runner))!;
  const item = { id: '0', length: 24, feeds: gqa.prompt(24) };
  const open = () => openProto(file.proto, file, runner);
  const decoding = (longest: number | null) =>
    decodingOf({ cache: { ...cache, longest }, outputs: new OriginalOutputs(open) } as unknown as Migration, item);
  await usingModel(open(), async (model) => {
    for (const longest of [null, 25]) {
      const handed = await call(model, item.feeds);
      const feeds = nextCall(cache, item.feeds, handed, greedyIds(cache, item.feeds, handed));
      assert.deepEqual(await decoding(longest), { feeds, ...cacheSizeOf(cache, handed) });
    }
    const before = firstTokens(cache, item.feeds, 23);
    const handed = await call(model, before);
    const found = await decoding(24);
    const expected = nextCall(cache, before, handed, lastRow(idsIn(cache, item.feeds), 1));
    assert.deepEqual(
      Object.entries(found.feeds).map(([name, { dims }]) => [name, dims]),
      Object.entries(expected).map(([name, { dims }]) => [name, dims]),
    );
    for (const name of Object.keys(cache.roles)) assert.deepEqual(found.feeds[name], expected[name], name);
    const { bytes, bytesPerToken } = cacheSizeOf(cache, handed);
    assert.deepEqual([found.bytes, found.bytesPerToken, bytes], [bytes, bytesPerToken, 23 * bytesPerToken]);
    // The last token behind the cache is the last token of one call.
    const logits = async (feeds: typeof found.feeds) => lastRow((await call(model, feeds))['logits']!, 1).data as Float32Array;
    const [one, other] = [await logits(item.feeds), await logits(found.feeds)];
    assert.ok(one.every((value, at) => Math.abs(value - other[at]!) < 1e-4));
  });
});
