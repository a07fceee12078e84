import { AttnswapError } from '../contract/errors.ts';
import { peak } from '../compare/compare-memory.ts';
import { launchStage } from '../measure/launch.ts';
import { captureFault, openForCapture } from '../model/swap/capture.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { findVariant } from '../variants/index.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import type { WasteFigures } from '../waste/schema.ts';
import { armAt, peaksAt } from './arms.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { originalScores } from './quality-of.ts';

/** Rows of each site that waste is measured on. */
const wasteRows = 256;

/** The original at one length. */
export interface BaselineAtLength {
  readonly length: number;
  readonly medianNs: number;
  readonly lowNs: number;
  readonly highNs: number;
  readonly peakHostBytes: number;
  readonly waste: readonly SiteWaste[];
}

/** Wasted attention of one site on one item. */
export interface SiteWaste {
  readonly site: number;
  readonly overall: WasteFigures;
  /** `wastedCompute.p95` of each head. */
  readonly heads: ReadonlyArray<number | null>;
}

export interface MeasuredBaseline {
  readonly lengths: readonly BaselineAtLength[];
  /** One score an item; null without a task. */
  readonly scores: readonly number[] | null;
}

/** Phase 1: the original model, at every length. @throws WORKER_FAILED where it cannot be measured */
export async function measureBaseline(migration: Migration): Promise<MeasuredBaseline> {
  const lengths: BaselineAtLength[] = [];
  for (const length of migration.settings.lengths) lengths.push(await atLength(migration, length));
  const scores = await migration.state.step('baseline/scores', async () => {
    migration.progress('baseline/scores', 'quality');
    return originalScores(migration, await itemsOf(migration, 'judging'));
  });
  return { lengths, scores };
}

async function atLength(migration: Migration, length: number): Promise<BaselineAtLength> {
  const { file, state } = migration;
  const arm = await armAt(migration, file.path, length);
  const latency = await state.step(`baseline/latency/${length}`, () => latencyOf(migration, arm, length));
  const memory = await state.step(`baseline/memory/${length}`, async () => {
    migration.progress(`baseline/memory/${length}`, `peak memory at ${length} tokens`);
    const outcome = await peak(arm, launchOptions(migration));
    if ('bytes' in outcome) return outcome;
    throw failed(length, 'reason' in outcome ? outcome.reason : outcome.outcome);
  });
  peaksAt(migration, length).set(0, memory);
  const waste = await state.step(`baseline/waste/${length}`, () => wasteAt(migration, length));
  return { length, ...latency, peakHostBytes: memory.bytes, waste };
}

function launchOptions({ signal }: Migration) {
  return { timeoutSeconds: 300, ...(signal !== undefined && { signal }) };
}

async function latencyOf(migration: Migration, arm: Awaited<ReturnType<typeof armAt>>, length: number) {
  migration.progress(`baseline/latency/${length}`, `latency at ${length} tokens`);
  const { stageWorker: worker, cwd, request } = arm;
  const outcome = await launchStage({ ...request, stage: 'latency', sampleSeconds: 2 }, { ...launchOptions(migration), worker, cwd });
  if (outcome.outcome !== 'model-latency') throw failed(length, 'reason' in outcome ? outcome.reason : outcome.outcome);
  const { medianNs, ciNs } = outcome.latency;
  return { medianNs, lowNs: ciNs.low, highNs: ciNs.high };
}

function failed(length: number, reason: string): AttnswapError {
  return new AttnswapError('WORKER_FAILED', `the original cannot be measured at ${length} tokens: ${reason}`);
}

/** Waste by site and head, on what the sites see of the length's first item; of sites that do something else there, none. */
async function wasteAt(migration: Migration, length: number): Promise<SiteWaste[]> {
  const { sites, file, runner, settings } = migration;
  const step = `baseline/waste/${length}`;
  migration.progress(step, `waste at ${length} tokens`);
  const item = (await itemsOf(migration, 'judging')).find((each) => each.length === length)!;
  const captured = await usingModel(openForCapture(sites, [...sites.swappable.values()], file, runner), (model) =>
    model.capture(item.feeds),
  );
  const dense = findVariant('dense');
  return [...captured].flatMap(([site, inputs]) => {
    const fault = captureFault(inputs);
    if (fault !== undefined) {
      migration.progress(step, `waste of site ${site} not measured on item ${item.id}: ${fault}`);
      return [];
    }
    const rows = { count: wasteRows, seed: settings.seed };
    const report = measureWaste({ inputs, inputsName: item.id, variant: dense, parameters: {}, dense, rows });
    const heads = report.heads.map(({ figures }) => figures.wastedCompute.p95?.value ?? null);
    return [{ site, overall: report.overall, heads }];
  });
}
