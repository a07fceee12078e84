import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execaSync } from 'execa';
import { nightlyRuns } from '../src/store/fixtures/nightly.ts';
import { table } from '../src/text/layout.ts';

// How long does the store take? Adds runs of 100 cells with 100 samples each, 100,000 cells in all, to an empty store, each command in a process of its
// own, and asks for them. Prints wall and CPU seconds, and asserts nothing.
//   node bench/store.ts [runs, 1000] [--waste: with each cell's waste report, ten times as much JSON]

const withWaste = process.argv.includes('--waste');
const runs = Number(process.argv.slice(2).find((argument) => argument !== '--waste') ?? 1000);
const main = fileURLToPath(new URL('../src/cli/attnswap.js', import.meta.url));
const variants = [
  'dense.fused',
  'dense.naive',
  'dense.tiled',
  'window.tiled',
  'window.tiled:w=64',
  'topk.tiled',
  'topk.tiled:k=8',
  'gated.tiled',
];
const lengths = Array.from({ length: 13 }, (_, index) => 64 * (index + 1));
const folder = mkdtempSync(join(tmpdir(), 'attnswap-bench-store-'));

try {
  const files: string[] = [];
  let [bytes, cells] = [0, 0];
  const [base] = nightlyRuns({ nights: 1, variants, lengths, samples: 100 });
  for (let index = 0; index < runs; index++) {
    const some = base!.cells.slice(0, 100).map(({ waste, latency, ...cell }) => ({
      ...cell,
      latency: { ...latency!, medianNs: latency!.medianNs * (1 + 0.01 * Math.sin(index * 7919 + cell.shape.keys)) },
      ...(withWaste && { waste }),
    }));
    const startedAt = new Date(Date.UTC(2026, 0, 1) + 3_600_000 * index).toISOString();
    const file = join(folder, `${index}.run.json`);
    const text = JSON.stringify({ ...base, startedAt, cells: some, declared: some.map(({ id }) => id) }, null, 1);
    writeFileSync(file, text);
    files.push(file);
    bytes += text.length;
    cells += some.length;
  }
  const store = join(folder, 'store');
  const ask =
    'select name, keys, count(*) as runs, median(medianNs) as typical from cells join runs using (run) group by all order by name, keys';
  const commands: ReadonlyArray<readonly [string, readonly string[]]> = [
    ['store add, all of it', ['store', 'add', ...files]],
    ['store add, all of it again', ['store', 'add', ...files]],
    ['query, grouped by kernel and length', ['query', ask]],
    ['query, one run', ['query', "select * from cells where run = (select run from runs where source like '%/500.run.json')"]],
    ['store list', ['store', 'list']],
    ['history', ['history']],
    ['dashboard', ['dashboard', '--out', join(folder, 'site')]],
  ];
  const rows = commands.map(([name, args]) => [name, ...timesOf([...args, '--store', store])]);
  console.log(
    `${cells} cells in ${files.length} runs, ${(bytes / 1e6).toFixed(0)} MB of JSON; the store takes ${(sizeOf(store) / 1e6).toFixed(0)} MB`,
  );
  console.log(table([['command', 'wall', 'CPU'], ...rows]));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Wall and CPU seconds of a command, as the shell tells them. */
function timesOf(args: readonly string[]): string[] {
  const timed = 'TIMEFORMAT="%R %U %S"; time "$0" "$@" > /dev/null';
  const { stderr } = execaSync('bash', ['-c', timed, process.execPath, main, ...args, '--quiet']);
  const [wall = 0, user = 0, system = 0] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
  return [`${wall.toFixed(1)} s`, `${(user + system).toFixed(1)} s`];
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
