import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keyOf, newPrivateKey } from '../src/fleet/keys.ts';
import { bench } from '../src/operations/bench.ts';
import { joinFleet } from '../src/operations/fleet-join.ts';
import { submitToFleet } from '../src/operations/fleet-submit.ts';
import { waitForFleet } from '../src/operations/fleet-wait.ts';
import type { RunRecord } from '../src/contract/run.ts';
import { readRun } from '../src/contract/run.ts';
import { readJson } from '../src/files/json.ts';
import { median } from '../src/statistics/order-statistics.ts';
import { table } from '../src/text/layout.ts';
import { startRedis } from '../tests/redis-server.ts';

// What does a fleet cost? Measures the same suite by `bench` and through a fleet of this one host, in turns; then lets many hosts of two processes
// replay records of 100 cells, from the submission to the last record in its file. Needs redis-server. Asserts nothing.
//   node bench/fleet.ts [hosts, 1000] [turns, 5]

const [hosts = 1000, turns = 5] = process.argv.slice(2).map(Number);
const processes = 2;
const folder = mkdtempSync(join(tmpdir(), 'attnswap-bench-fleet-'));
const trust = join(folder, 'trust');
const redis = await startRedis();
const address = { redis: redis.url, insecure: true };

try {
  if (turns > 0) await compareWithBench();
  if (hosts > 0) await simulate();
} finally {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function compareWithBench(): Promise<void> {
  const suite = writeSuite('turns', ['dense.fused', 'dense.tiled', 'window:w=32'], [64, 128, 256]);
  const stop = new AbortController();
  const joined = Promise.withResolvers<void>();
  const work = joinFleet({
    ...address,
    key: join(folder, 'own.pem'),
    signal: stop.signal,
    onJoined({ publicKey }) {
      writeFileSync(trust, publicKey);
      joined.resolve();
    },
  });
  await joined.promise;
  const took = { bench: [] as number[], wholeBench: [] as number[], fleet: [] as number[], wholeFleet: [] as number[] };
  for (let turn = 0; turn < turns; turn++) {
    const first = performance.now();
    const alone = await bench({ suite, record: join(folder, 'bench.run.json') });
    took.wholeBench.push((performance.now() - first) / alone.cells.length);
    took.bench.push(perCell(alone));
    const start = performance.now();
    const { submission } = await submitToFleet({ ...address, suite, trust });
    const { runs } = await waitForFleet({ ...address, submission, trust, dir: folder });
    const file = runs[0]!.records[0]!.file;
    const run = readRun(await readJson(file, 'INVALID_RUN'), file);
    took.wholeFleet.push((performance.now() - start) / run.cells.length);
    took.fleet.push(perCell(run));
  }
  stop.abort();
  await work;
  const row = (name: string, base: readonly number[], values: readonly number[]) => [
    name,
    `${median(base).toFixed(0)} ms`,
    `${median(values).toFixed(0)} ms`,
    `${(100 * (median(values.map((value, turn) => value / base[turn]!)) - 1)).toFixed(1)} %`,
  ];
  console.log(
    table([
      [`per cell, median of ${turns} turns`, 'bench', 'fleet', 'overhead'],
      row('from the first cell to the last', took.bench, took.fleet),
      row('from the call, or submit, to the record in its file', took.wholeBench, took.wholeFleet),
    ]),
  );
}

function perCell({ startedAt, endedAt, cells }: RunRecord): number {
  return (Date.parse(endedAt!) - Date.parse(startedAt)) / cells.length;
}

async function simulate(): Promise<void> {
  const lengths = Array.from({ length: 20 }, (_, index) => 64 * (index + 1));
  const suite = writeSuite('many', ['dense.fused', 'dense.naive', 'dense.tiled', 'window.tiled', 'topk.tiled'], lengths);
  const keys = Array.from({ length: hosts }, () => newPrivateKey());
  writeFileSync(trust, keys.map((pem) => `${keyOf(pem, 'key').publicKey}\n`).join(''));
  const script = fileURLToPath(new URL('./fleet-hosts.ts', import.meta.url));
  const start = performance.now();
  const children = await Promise.all(
    Array.from({ length: processes }, async (_, part) => {
      const child = fork(script, [redis.url], { serialization: 'advanced' });
      child.send(keys.filter((__, index) => index % processes === part));
      await once(child, 'message');
      return child;
    }),
  );
  const joined = performance.now();
  const { submission } = await submitToFleet({ ...address, suite, trust });
  const submitted = performance.now();
  const { complete, runs } = await waitForFleet({ ...address, submission, trust, dir: folder });
  const fetched = performance.now();
  for (const child of children) child.kill();
  const cells = runs.flatMap(({ records }) => records).reduce((sum, record) => sum + record.cells, 0);
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `${hosts} hosts, ${cells} cells, ${complete ? 'complete' : 'incomplete'}; this process took ${s(process.cpuUsage().user / 1000)} of CPU time`,
  );
  console.log(
    `joined in ${s(joined - start)}, submitted in ${s(submitted - joined)}, from submit to the last record ${s(fetched - joined)}`,
  );
}

function writeSuite(name: string, variants: readonly string[], lengths: readonly number[]): string {
  const path = join(folder, `${name}.suite.mjs`);
  const definition = { name, matrix: { variants, backends: ['onnx-cpu'], lengths }, sampleSeconds: 0.2, wasteRows: 16 };
  writeFileSync(path, `export default ${JSON.stringify(definition)};\n`);
  return path;
}
