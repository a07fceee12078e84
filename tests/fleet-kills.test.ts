import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RandomStream } from '../src/inputs/random.ts';
import { endure } from './fleet-endure.ts';
import { lacksRedis } from './redis-server.ts';
import { emptyFolder, suiteText } from './run-cli.ts';

const worker = fileURLToPath(new URL('./fixtures/fleet-worker.ts', import.meta.url));

test(
  'workers, waiting and submitting commands and the server are killed: every cell counts once or is named',
  { skip: lacksRedis },
  async () => {
    const suite = join(emptyFolder(), 'four.suite.ts');
    writeFileSync(suite, suiteText('four', ['dense.fused', 'window.tiled']).replace('[64]', '[64, 128]'));
    const stream = new RandomStream(1, 'kills');
    const { cells, killed, submissions } = await endure({
      kills: 6,
      suite,
      worker: (name, url) => [worker, url, name, JSON.stringify({ pool: 'x' }), '150', '1500'],
      pauseMs: 1000,
      random: () => stream.uniform(),
    });
    assert.ok(submissions >= 1 && cells >= 4, JSON.stringify({ cells, killed, submissions }));
  },
);
