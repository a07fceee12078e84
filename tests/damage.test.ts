import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { endure, judge } from './damage/endure.ts';
import { allReaders } from './damage/index.ts';
import { emptyFolder } from './run-cli.ts';

// `npm run bench:damage` reads 100 000; these are the first of them.
const each = 40;
const folder = emptyFolder();
after(() => rmSync(folder, { recursive: true, force: true }));

for (const reader of await allReaders(folder))
  test(`${reader.name}: what is whole is read; what is damaged is read as what it says, or refused`, async () => {
    for (const input of reader.whole) assert.deepEqual(await judge(reader, input), { outcome: 'read' });
    for (let index = 0; index < each; index += 1) {
      const { problem } = await endure(reader, 1, index);
      assert.equal(problem, undefined, `input ${index}`);
    }
  });
