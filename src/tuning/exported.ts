import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Comparison } from '../contract/verdict.ts';
import { compareLatency } from '../compare/compare-latency.ts';
import { compareMemory } from '../compare/compare-memory.ts';
import { writeTensors } from '../data/tensor-files.ts';
import { plainRule } from '../decide/rule.ts';
import { gainPlan } from '../decide/sequential.ts';
import { modelArm } from '../measure/arm.ts';
import type { ModelArm } from '../measure/arm.ts';
import { fileNameOf } from '../migration/candidate.ts';
import { exportTestbed } from '../training/export-onnx.ts';
import { testbedFeeds } from '../training/testbed-feeds.ts';
import { fileAt } from './files.ts';
import { trainedWeights } from './run-trial.ts';
import { testbedOf, trialId } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

export const timeoutSeconds = 120;
/** The largest slowdown or growth that passes. */
const margin = 0.05;

/** A trained trial as an ONNX file with the runner's kernels; without `exits`, one that runs all layers. */
export async function exportedModel(work: TuningWork, trial: Trial, { exits = true } = {}): Promise<string> {
  const path = await fileAt(work, 'models', fileNameOf(exits ? trialId(trial) : `${trialId(trial)} without exits`));
  if (existsSync(path)) return path;
  const testbed = testbedOf(exits ? trial : { ...trial, exits: null }, work.tuning, work.task);
  await writeFile(`${path}.tmp`, exportTestbed(testbed, await trainedWeights(work, trial), { adapter: work.runner.adapter }));
  await rename(`${path}.tmp`, path);
  return path;
}

/**
 * Two exported models on the first test item, base first: latency and peak memory, in pairs; kept as a step, unless the host stayed busy. A real item and not drawn tokens, as it decides how many
 * layers a model with exits runs.
 */
export async function compareExported(work: TuningWork, base: Trial, fresh: Trial): Promise<{ latency: Comparison; memory: Comparison }> {
  const name = trialId(fresh);
  const measure = async () => {
    work.progress(`${name}: latency and peak memory`);
    const arms = { base: await armOf(work, base), new: await armOf(work, fresh) };
    const subject = { cell: `${name} at ${work.task.length}`, name };
    const shared = { timeoutSeconds, family: 1, signal: work.signal };
    const options = { ...shared, seed: work.seed, floor: null, plan: gainPlan(work.maxBlocks) };
    const { comparison: latency } = await compareLatency(arms, subject, plainRule('latency', margin), options);
    return { latency, memory: await compareMemory(arms, subject, plainRule('peak-memory', margin), shared) };
  };
  return work.state.step(`compare/${name}`, measure, ({ latency }) => latency.busy !== true);
}

async function armOf(work: TuningWork, trial: Trial): Promise<ModelArm> {
  const { task, tuning, runner, threads } = work;
  const file = await fileAt(work, 'data', trial.exits === null ? 'feed.safetensors' : 'feed-asked.safetensors');
  if (!existsSync(file)) await writeTensors(file, testbedFeeds(testbedOf(trial, tuning, task), await task.items('test', 1, 0)));
  const model = {
    backend: runner.backend,
    model: await exportedModel(work, trial),
    feeds: { file },
    ...(threads !== undefined && { threads }),
  };
  return modelArm(model, runner.entry);
}
