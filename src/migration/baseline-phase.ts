import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import { peak } from '../compare/compare-memory.ts';
import { keyGroupsFault } from '../data/key-groups-fault.ts';
import type { ModelArm } from '../measure/arm.ts';
import { launchStage } from '../measure/launch.ts';
import { captureFault } from '../model/swap/capture.ts';
import { findVariant } from '../variants/index.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import type { WasteFigures } from '../waste/schema.ts';
import { armAt, peaksAt, placeText, requestOf } from './arms.ts';
import { placeName } from './course.ts';
import type { Place } from './course.ts';
import type { Dispatch } from '../contract/adapter.ts';
import { dispatchOf } from './dispatch.ts';
import { cachedBehind, decodingOf } from './decoding.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { originalScores } from './quality-of.ts';
import { figureSchemas } from './steps.ts';

/** Of the original's latency. */
const sampleSeconds = 2;

/** Rows of each site that waste is measured on. */
const wasteRows = 256;

/** The original at one length. */
export interface BaselineAtLength extends CallAtLength {
  readonly waste: readonly SiteWaste[];
}

/** Wasted attention of one site on one item. */
export interface SiteWaste {
  readonly site: number;
  readonly overall: WasteFigures;
  /** `wastedCompute.p95` of each head. */
  readonly heads: ReadonlyArray<number | null>;
}

/** The original in one use. */
export interface CallAtLength {
  /** Tokens of the call; of decoding, tokens in the cache. */
  readonly length: number;
  /** Time of a call; of decoding, of a token. */
  readonly medianNs: number;
  readonly lowNs: number;
  readonly highNs: number;
  readonly peakHostBytes: number;
}

/** The original with one new token behind so many tokens in its cache. */
export interface DecodeAtLength extends CallAtLength {
  /** Of the cache, all batch elements. */
  readonly cacheBytes: number;
}

/** The original as it decodes token by token. */
export interface DecodeBaseline {
  /** What one more token adds to the cache, all batch elements. */
  readonly cacheBytesPerToken: number;
  readonly lengths: readonly DecodeAtLength[];
}

export interface MeasuredBaseline {
  /** Of a decoder with a cache, the prefill: its latency is the time to the first token. */
  readonly lengths: readonly BaselineAtLength[];
  /** Null where the model is not decoded through a cache. */
  readonly decode: DecodeBaseline | null;
  /** A call forward and backward; null where it was not asked for. */
  readonly backward: readonly CallAtLength[] | null;
  /** What a call runs at the length of comparison; null where the runtime does not tell. */
  readonly dispatch: Dispatch | null;
  /** One score an item; null without a task. */
  readonly scores: readonly number[] | null;
}

/** Phase 1: the original model, at every length. @throws WORKER_FAILED where it cannot be measured */
export async function measureBaseline(migration: Migration): Promise<MeasuredBaseline> {
  const lengths: BaselineAtLength[] = [];
  for (const length of migration.settings.lengths) lengths.push(await atLength(migration, length));
  const decode = migration.cache === null ? null : await measureDecode(migration);
  const backward = migration.settings.backward === true ? await measureBackward(migration) : null;
  const dispatch = await dispatchOf(migration, 'original', migration.file.path);
  const scores = await migration.state.step('baseline/scores', async () => {
    migration.progress('baseline/scores', 'quality');
    return originalScores(migration, await itemsOf(migration, 'judging'));
  });
  return { lengths, decode, backward, dispatch, scores };
}

async function measureBackward(migration: Migration): Promise<CallAtLength[]> {
  const lengths: CallAtLength[] = [];
  for (const length of migration.settings.lengths)
    lengths.push({ length, ...(await timeAndPeak(migration, { length, use: 'forward+backward' })) });
  return lengths;
}

async function measureDecode(migration: Migration): Promise<DecodeBaseline> {
  const lengths: DecodeAtLength[] = [];
  const sizes: Array<{ readonly bytes: number; readonly bytesPerToken: number }> = [];
  for (const length of migration.settings.lengths) {
    const measured = await timeAndPeak(migration, { length, use: 'decode' });
    const size = await migration.state.step(`baseline/cache/${length}`, async () => {
      const item = (await itemsOf(migration, 'judging')).find((each) => each.length === length)!;
      const { bytes, bytesPerToken } = await decodingOf(migration, item);
      return { bytes, bytesPerToken };
    });
    sizes.push(size);
    lengths.push({ length: cachedBehind(migration.cache!, length), ...measured, cacheBytes: size.bytes });
  }
  return { cacheBytesPerToken: sizes[0]!.bytesPerToken, lengths };
}

async function atLength(migration: Migration, length: number): Promise<BaselineAtLength> {
  const measured = await timeAndPeak(migration, { length, use: 'prefill' });
  const { state, figures, settings, sites, file } = migration;
  const waste = await state.step(`baseline/waste/${length}`, async () => {
    const { of, files } = requestOf(migration, [await armAt(migration, file.path, { length, use: 'prefill' })]);
    const { groups } = await firstOf(migration, length);
    const wanted = { ...of, metric: 'waste', sites: sites.sites, rows: wasteRows, seed: settings.seed, groups };
    return figures.measured({ of: wanted, files, schema: figureSchemas.waste }, () => wasteAt(migration, length));
  });
  return { length, ...measured, waste };
}

async function timeAndPeak(migration: Migration, place: Place): Promise<Omit<CallAtLength, 'length'>> {
  const { file, state, figures } = migration;
  const arm = await armAt(migration, file.path, place);
  const name = placeName(place);
  const { of, files } = requestOf(migration, [arm]);
  const latency = await state.step(`baseline/latency/${name}`, () =>
    figures.measured({ of: { ...of, metric: 'latency', sampleSeconds }, files, schema: figureSchemas.latency }, () =>
      latencyOf(migration, arm, place),
    ),
  );
  const peakBytes = async () => {
    migration.progress(`baseline/memory/${name}`, placeText('peak memory', place));
    const outcome = await peak(arm, launchOptions(migration));
    if ('bytes' in outcome) return outcome;
    throw failed(place, 'reason' in outcome ? outcome.reason : outcome.outcome);
  };
  const memory = await state.step(`baseline/memory/${name}`, () =>
    figures.measured({ of: { ...of, metric: 'peak-memory' }, files, schema: figureSchemas.memory }, peakBytes),
  );
  // Both peaks of a pair are measured in the same run.
  if (!(`baseline/memory/${name}` in state.reused)) peaksAt(migration, place).set(0, memory);
  return { ...latency, peakHostBytes: memory.bytes };
}

function launchOptions({ signal }: Migration) {
  return { timeoutSeconds: 300, signal };
}

async function latencyOf(migration: Migration, arm: ModelArm, place: Place) {
  migration.progress(`baseline/latency/${placeName(place)}`, placeText('latency', place));
  const { stageWorker: worker, cwd, request } = arm;
  const outcome = await launchStage({ ...request, stage: 'latency', sampleSeconds }, { ...launchOptions(migration), worker, cwd });
  if (outcome.outcome !== 'model-latency') throw failed(place, 'reason' in outcome ? outcome.reason : outcome.outcome);
  const { medianNs, ciNs } = outcome.latency;
  return { medianNs, lowNs: ciNs.low, highNs: ciNs.high };
}

function failed(place: Place, reason: string): AttnswapError {
  return new AttnswapError('WORKER_FAILED', `the original cannot be measured: ${placeText('latency', place)}: ${reason}`);
}

async function firstOf(migration: Migration, length: number): Promise<Item> {
  return (await itemsOf(migration, 'judging')).find((each) => each.length === length)!;
}

/** @throws INVALID_DATA for groups of sites that the model does not have */
function checkSites({ id, groups = [] }: Item, { sites }: Migration['sites']): void {
  const known = sites.map(({ site }) => site);
  for (const { name, sites: own = [] } of groups) {
    const other = own.find((site) => !known.includes(site));
    if (other === undefined) continue;
    throw new AttnswapError(
      'INVALID_DATA',
      `item ${id.slice(0, 100)}: group ${JSON.stringify(name)} is of site ${other}, expected ${known.join(', ')}`,
    );
  }
}

/** The groups of a site's keys that an item names; undefined where it names none. @throws INVALID_DATA for groups of other keys */
function groupsAt({ id, groups = [] }: Item, site: number, keys: number): KeyGroup[] | undefined {
  const own = groups.filter(({ sites }) => sites?.includes(site) ?? true).map(({ name, from, to }) => ({ name, from, to }));
  const fault = own.length === 0 ? undefined : keyGroupsFault(own, keys);
  if (fault === undefined) return own.length === 0 ? undefined : own;
  throw new AttnswapError('INVALID_DATA', `item ${id.slice(0, 100)}: site ${site}: ${fault}`, {
    hint: 'name the sites that read these keys: { name, from, to, sites: [1, 3] }',
  });
}

/** Waste by site and head, on what the sites see of the length's first item; of sites that do something else there, none. */
async function wasteAt(migration: Migration, length: number): Promise<SiteWaste[]> {
  const { subject, settings } = migration;
  const step = `baseline/waste/${length}`;
  migration.progress(step, `waste at ${length} tokens`);
  const item = await firstOf(migration, length);
  checkSites(item, migration.sites);
  const captured = await subject.capture(item.feeds);
  const dense = findVariant('dense');
  return [...captured].flatMap(([site, inputs]) => {
    const fault = captureFault(inputs);
    if (fault !== undefined) {
      migration.progress(step, `waste of site ${site} not measured on item ${item.id}: ${fault}`);
      return [];
    }
    const rows = { count: wasteRows, seed: settings.seed };
    const groups = groupsAt(item, site, inputs.shape.keys);
    const report = measureWaste({ inputs, inputsName: item.id, variant: dense, parameters: {}, dense, rows, groups });
    const heads = report.heads.map(({ figures }) => figures.wastedCompute.p95?.value ?? null);
    return [{ site, overall: report.overall, heads }];
  });
}
