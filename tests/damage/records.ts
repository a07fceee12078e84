import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sampleClaims } from '../../src/claims/fixtures/sample-claims.ts';
import { baselineSchema } from '../../src/compare/baseline.ts';
import { calibrate } from '../../src/compare/calibration.ts';
import { loadBaseline, loadCalibrations, saveBaseline, saveCalibrations } from '../../src/compare/store.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { readSuite } from '../../src/contract/suite.ts';
import { readTuning } from '../../src/contract/tuning.ts';
import { checksumOf } from '../../src/journal/check-steps.ts';
import { Journal } from '../../src/journal/journal.ts';
import { journalPath } from '../../src/journal/stored.ts';
import { fingerprint } from '../../src/measure/fingerprint.ts';
import { quietHost } from '../../src/measure/fixtures/quiet-host.ts';
import { compareHosts } from '../../src/measure/same-host.ts';
import { migrationSteps } from '../../src/migration/steps.ts';
import { loadRun } from '../../src/operations/load-run.ts';
import { whatif } from '../../src/operations/whatif.ts';
import { formatIdentity, parseIdentity } from '../../src/processes/identity.ts';
import { readSwapFile } from '../../src/protocol/swap-file.ts';
import { sampleAudit } from '../../src/report/fixtures/sample-audit.ts';
import { sampleMigration } from '../../src/report/fixtures/sample-migration.ts';
import { sampleRun } from '../../src/report/fixtures/sample-run.ts';
import { sampleTuning } from '../../src/report/fixtures/sample-tuning.ts';
import { readReport } from '../../src/report/read-report.ts';
import { reportMarkdown } from '../../src/report/report-markdown.ts';
import { sampleComparison, sampleVerdict } from '../../src/verdict/fixtures/sample-verdict.ts';
import { damagedBytes, damagedDocument, damagedValue, difference, liveValues } from './damage.ts';
import type { Reader } from './endure.ts';

type Bytes = Uint8Array;
const lock = Buffer.from('4711.1234567.0123456789abcdef.4026531836');
const device = {
  schema: 'attnswap.device/1',
  name: 'A device',
  source: 'its maker',
  flopsPerSecond: { f32: 1e12, f16: 2e12 },
  bytesPerSecond: 1e11,
  clockHz: 1e9,
};
const swapped = {
  schema: 'attnswap.swap/1',
  source: '../bert',
  adapters: 'parts.safetensors',
  placed: { 'layer.0': { variant: 'window', kernel: 'window.blocks', parameters: { w: 8 }, scaleFactor: 0.9 } },
};
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Readers of attnswap's own documents, and of suites. What they give must be what the document says, as far as it says it. */
export async function recordReaders(folder: string): Promise<Reader[]> {
  const reader = (name: string, share: number, whole: unknown, read: (path: string, bytes: Bytes) => Promise<unknown>): Reader => {
    const path = join(folder, name);
    const bytes = bytesOf(whole);
    return {
      name,
      share,
      whole: [bytes],
      damaged: damagedDocument(bytes),
      async read(given: Bytes) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, given);
        const result = await read(path, given);
        return result === undefined ? undefined : difference(result, parsed(given));
      },
    } satisfies Reader<Bytes> as Reader;
  };
  const rendered = async (path: string) => {
    const { report, csv } = await readReport(path);
    return reportMarkdown(report) + csv();
  };
  const run = sampleRun({ variants: ['dense.fused', 'window.tiled:w=8'], lengths: [128] });
  const host = { ...quietHost, fingerprint: fingerprint(quietHost, { node: '24.21.0' }) };
  const measuredAt = '2026-06-10T00:00:00.000Z';
  const print = { fingerprint: host.fingerprint.sha256, identity: { ...host.fingerprint.identity } };
  const calibration = calibrate(
    { ...print, cell: run.cells[0]!.id, name: 'dense', backend: 'onnx-cpu', measuredAt },
    [0.01, -0.02, 0.03],
    1,
  );
  const store = join(folder, 'store');
  await saveCalibrations(store, [calibration]);
  const promotion = { promotedAt: measuredAt, by: 'me', reason: 'first' };
  const baseline = baselineSchema.parse({
    schema: 'attnswap.baseline/1',
    name: 'main',
    fingerprint: 'a'.repeat(64),
    runs: [{ ...promotion, run: { ...run, host } }],
  });
  await saveBaseline(store, baseline);
  const portable = {
    schema: 'attnswap.baseline/1',
    name: 'portable',
    fingerprint: 'a'.repeat(64),
    runs: [],
    portable: {
      ...promotion,
      suite: { name: 'ci', sha256: 'b' },
      tool: '1.2.3',
      host: { cpu: 'A processor', availableCores: 2, system: 'linux x64' },
      runs: 3,
      declared: ['a cell'],
      figures: { 'a cell': { error: 1e-7, 'scored-pairs': 100 } },
    },
  };
  const stored = async (path: string) => JSON.parse(await readFile(join(store, path), 'utf8')) as unknown;
  const verdict = sampleVerdict([sampleComparison(), sampleComparison({ outcome: 'regression' })]);
  const migration = { journal: (await wholeJournal(join(folder, 'whole'), host)).document, record: sampleMigration() };
  return [
    reader('run.json', 4, { ...run, host }, async (path) => {
      const result = await loadRun(path);
      await rendered(path);
      return result;
    }),
    reader('verdict.json', 4, { ...verdict, host }, async (path) => void (await rendered(path))),
    reader('tuning.json', 2, sampleTuning(), async (path) => void (await rendered(path))),
    reader('audit.json', 3, sampleAudit(), async (path) => void (await rendered(path))),
    reader('claims.json', 1, sampleClaims(), async (path) => void (await rendered(path))),
    reader('migration/record.json', 3, migration.record, async (path) => {
      await writeFile(journalPath(dirname(path)), JSON.stringify(migration.journal));
      await rendered(path);
    }),
    reader('store/calibrations.json', 6, await stored('calibrations.json'), async () => ({ calibrations: await loadCalibrations(store) })),
    reader('store/baselines/main.json', 4, await stored('baselines/main.json'), async () => loadBaseline(store, 'main')),
    reader('store/baselines/portable.json', 4, portable, async () => loadBaseline(store, 'portable')),
    reader('device.json', 5, device, async (path) => ({ ...(await whatif({ device: path, lengths: [64], variants: ['dense'] })).device })),
    reader('model.swap.json', 5, swapped, async (path) => {
      const { placed } = await readSwapFile(path);
      return { placed };
    }),
    await journalReader(join(folder, 'journal'), host),
    definitionReader(
      'suite',
      5,
      {
        name: 'mine',
        matrix: { variants: ['dense.fused', 'window:w=8'], backends: ['onnx-cpu'], lengths: [64], heads: 2, headDim: 16 },
        gates: [{ metric: 'latency', margin: 0.1 }],
      },
      readSuite,
    ),
    definitionReader(
      'tuning suite',
      5,
      {
        name: 'tiny',
        task: 'recall:pairs=2,length=16,keys=8,values=8',
        model: { layers: 1, width: 16, heads: 2, hidden: 16 },
        candidates: ['topk:k=3'],
        space: { learningRate: [0.01], techniques: [[], ['distil']] },
        items: { train: 64, validation: 64, test: 64 },
      },
      readTuning,
    ),
    {
      name: 'lock',
      share: 5,
      whole: [lock],
      damaged: (draw) => damagedBytes(lock, draw),
      async read(bytes) {
        const text = Buffer.from(bytes).toString();
        const identity = parseIdentity(text);
        if (identity === undefined) throw new AttnswapError('BUSY', 'no process');
        return formatIdentity(identity) === text ? undefined : 'another process';
      },
    } satisfies Reader<Bytes> as Reader,
  ];
}

/** A suite is code: whatever code can give. */
function definitionReader(name: string, share: number, whole: unknown, read: (value: unknown, source: string) => unknown): Reader {
  return {
    name,
    share,
    whole: [whole],
    damaged: (draw) => damagedValue(structuredClone(whole), draw, liveValues),
    async read(value) {
      read(value, name);
      return undefined;
    },
  };
}

/** Every step has a checksum: it is read as it was, or not at all. One that is gone is measured again. */
async function journalReader(folder: string, host: unknown): Promise<Reader> {
  const { document, open } = await wholeJournal(folder, host);
  const bytes = bytesOf(document);
  const { steps } = document as { steps: Record<string, unknown> };
  return {
    name: 'journal.json',
    share: 14,
    whole: [bytes],
    damaged: damagedDocument(bytes),
    async read(given) {
      await writeFile(journalPath(folder), given);
      const journal = await open();
      const names = Object.keys((parsed(given) as typeof document & { steps: object }).steps);
      const other = names.find((name) => checksumOf(name, journal.found(name)) !== checksumOf(name, steps[name] ?? null));
      return other === undefined ? undefined : `another step ${other.slice(0, 100)}`;
    },
  } satisfies Reader<Bytes> as Reader;
}

async function wholeJournal(folder: string, host: unknown) {
  const subject = { files: { 'model.onnx': 'a' }, settings: { seed: 1 }, host: 'a'.repeat(64), described: host };
  const open = () => Journal.open(folder, subject, { kind: 'migration', steps: migrationSteps, compareHosts });
  const journal = await open();
  await journal.step('baseline/latency/512', async () => ({ medianNs: 12, lowNs: 11, highNs: 13 }));
  await journal.step('baseline/memory/512', async () => ({ bytes: 4096 }));
  await journal.step('baseline/scores', async () => [0.5, 0.25]);
  await journal.step('latency/dense.fused/512', async () => sampleComparison());
  await journal.step('tune/loss/1-0', async () => 0.125);
  const document = JSON.parse(await readFile(journalPath(folder), 'utf8')) as object;
  return { document, open };
}

/** A document as a strict reader has it; undefined where its bytes are no text. */
function parsed(bytes: Bytes): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}
