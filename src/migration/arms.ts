import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Comparison } from '../contract/verdict.ts';
import { compareLatency } from '../compare/compare-latency.ts';
import type { LaunchedPeak } from '../compare/compare-memory.ts';
import { compareMemory } from '../compare/compare-memory.ts';
import { blockText } from '../compare/until-decided.ts';
import { writeTensors } from '../data/tensor-files.ts';
import { plainRule } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { FigureRequest } from '../journal/figures.ts';
import { modelArm } from '../measure/arm.ts';
import type { ModelArm } from '../measure/arm.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import { candidateOf, comparisonStep, placeName } from './course.ts';
import type { Place } from './course.ts';
import { decodingOf } from './decoding.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { figureSchemas } from './steps.ts';

const timeoutSeconds = 300;

/** A model's file as an arm, on the first item of a length; to decode, on one token behind the cache that the original makes of that item. */
export async function armAt(migration: Migration, model: string, { length, use }: Place): Promise<ModelArm> {
  const { entry, settings, state } = migration;
  const { backend, threads } = settings;
  const pass = use === 'forward+backward' ? use : undefined;
  const place: Place = { length, use: use === 'decode' ? use : 'prefill' };
  const file = resolve(state.folder, 'feeds', `${placeName(place).replace('/', '-')}.safetensors`);
  const write = async () => {
    const item = (await itemsOf(migration, 'judging')).find((each) => each.length === place.length)!;
    await mkdir(join(state.folder, 'feeds'), { recursive: true });
    await writeTensors(file, place.use === 'decode' ? (await decodingOf(migration, item)).feeds : item.feeds);
    return { item: item.id };
  };
  await state.step(`feeds/${placeName(place)}`, write);
  // A user may have made room since.
  if (!existsSync(file)) await write();
  const more = { ...(threads !== null && { threads }), ...(pass !== undefined && { pass }) };
  return modelArm({ backend, model: resolve(model), feeds: { file }, ...more }, entry);
}

/** All that decides what calls of arms take: what is kept of earlier figures is found by it. */
export function requestOf({ file }: Migration, arms: readonly ModelArm[]): Pick<FigureRequest<unknown>, 'files'> & { readonly of: object } {
  const settings = arms.map(({ request }) => {
    const { adapterModule: _, feeds: __, model: ___, ...rest } = request;
    return rest;
  });
  const files = async () => {
    const found = arms.map(async ({ request: { model, feeds } }) => {
      const { externalFiles } = await readOnnxFile(model);
      return [model, ...externalFiles.map(({ path }) => path), ...('file' in feeds ? [feeds.file] : [])];
    });
    return (await Promise.all(found)).flat();
  };
  return { of: { original: file.sha256, settings }, files };
}

/** Peaks of whole models hardly vary: two pairs mostly tell, and a launch of a large model takes long. */
export const modelMemoryLooks: LookPlan = { looks: [2, 3, 6], tail: 0.0175 };

/** The original's peaks at a place, launch by launch. */
export function peaksAt({ peaks }: Migration, place: Place): Map<number, LaunchedPeak> {
  const known = peaks.get(placeName(place)) ?? new Map<number, LaunchedPeak>();
  peaks.set(placeName(place), known);
  return known;
}

export interface ArmComparison extends Place {
  readonly name: string;
  readonly model: string;
  readonly plan: LookPlan;
}

/** `latency at 512 tokens`, or `decode latency with 512 cached tokens`. */
export function placeText(what: string, { length, use }: Place): string {
  if (use === 'decode') return `decode ${what} with ${length} cached tokens`;
  return `${use === 'prefill' ? '' : `${use} `}${what} at ${length} tokens`;
}

/** The step that a comparison is kept as. */
export function stepOf(metric: 'latency' | 'peak-memory', { name, ...place }: Place & { readonly name: string }): string {
  return `${metric}/${name}/${placeName(place)}`;
}

/** The original against another model at one place, in paired blocks; kept as a step, unless the host stayed busy. */
export function compareModels(migration: Migration, metric: 'latency' | 'peak-memory', wanted: ArmComparison): Promise<Comparison> {
  const { name, model, length, use, plan } = wanted;
  const { file, settings, state, figures, signal } = migration;
  const measure = async () => {
    const what = `${candidateOf(name)}: ${placeText(metric === 'latency' ? 'latency' : 'peak memory', wanted)}`;
    const most = plan.looks.at(-1)!;
    const progress = (block: number, setAside: number) =>
      migration.progress(comparisonStep(metric, name, wanted), `${what}, ${blockText(block, most, setAside)}`, block / most);
    const arms = { base: await armAt(migration, file.path, wanted), new: await armAt(migration, model, wanted) };
    const subject = { cell: `${name} ${use === 'prefill' ? '' : `${use} `}at ${length}`, name };
    const shared = { timeoutSeconds, family: 1, progress, signal };
    const rule = plainRule(metric, settings.margin);
    const options = { ...shared, seed: settings.seed, floor: null, plan };
    const { of, files } = requestOf(migration, [arms.base, arms.new]);
    const request = { of: { ...of, metric, subject, rule, plan, seed: settings.seed }, files, schema: figureSchemas.comparison };
    const compare = async () =>
      metric === 'peak-memory'
        ? compareMemory(arms, subject, rule, { ...shared, plan, basePeaks: peaksAt(migration, wanted) })
        : (await compareLatency(arms, subject, rule, options)).comparison;
    // The last comparison decides: what made its candidate the best of several must not speak for it again.
    const isFinal = candidateOf(name) !== name;
    return isFinal ? compare() : figures.measured(request, compare);
  };
  return state.step(stepOf(metric, wanted), measure, ({ busy }) => busy !== true);
}
