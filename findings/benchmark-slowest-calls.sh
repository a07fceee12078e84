#!/usr/bin/env bash
# One would guess that the maximum, the mean and the high percentiles that a benchmark library states are those of the calls that it measured.
# mitata drops the two slowest (and the two fastest) before it computes any, so that two pauses never show. bench-node drops all that lie 1.5
# interquartile ranges outside the quartiles: its maximum hides every pause, while its total time counts them. Neither says how many it dropped.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund mitata@1.0.34 bench-node@0.15.0
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';

// A clock of our own, in nanoseconds, so that no other load shows.
let time = 0n;
process.hrtime.bigint = () => time;
const { measure } = await import('mitata');
const { default: bench } = await import('bench-node');

const versionOf = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
let calls = [];

/** Takes 2 ms, and 40 ms at every tenth call. */
function step() {
  calls.push(calls.length % 10 === 9 ? 40 : 2);
  time += BigInt(calls.at(-1) * 1e6);
}

function told(name, { length }, max, mean) {
  const measured = calls.slice(-20);
  const right = measured.reduce((a, b) => a + b) / 20;
  console.log(`${name}: its last 20 calls took up to ${Math.max(...measured)} ms, ${right.toFixed(1)} on average; it has ${length} samples, up to ${max / 1e6} ms, ${(mean / 1e6).toFixed(1)} on average`);
  return [length, max / 1e6, Math.abs(mean / 1e6 - right) < 1e-6];
}

const one = await measure(step, { now: () => Number(time), min_cpu_time: 0, min_samples: 20, batch_threshold: -1 });
const seen = [told(`mitata ${versionOf('mitata')}`, one.samples, one.max, one.avg)];
calls = [];
const [two] = await new bench.Suite({ reporter: false, benchmarkMode: 'time', repeatSuite: 20 }).add('step', step).run();
seen.push(told(`bench-node ${versionOf('bench-node')}`, two.histogram.sampleData, two.histogram.max, two.totalTime * 1e9));
process.exit(JSON.stringify(seen) === '[[16,2,false],[18,2,true]]' ? 0 : 1);
JS
node --allow-natives-syntax run.mjs || { echo 'this has changed' >&2; exit 1; }
