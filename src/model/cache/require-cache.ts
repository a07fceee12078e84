import type { ModelProto } from 'onnx-buf';
import type { OpenModel } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import type { Cache } from './cache.ts';
import { cacheFault, call } from './drive.ts';

/** A swapped model must hand on what is cached as the original does, byte for byte. @throws UNSUPPORTED where it does not */
export async function requireCache(swapped: ModelProto, cache: Cache | null, file: OnnxFile, runner: ModelRunner): Promise<void> {
  if (cache !== null) await usingModel(openProto(swapped, file, runner), (model) => requireCacheOf(model, cache));
}

/** The same of a model that is open. */
export async function requireCacheOf(model: OpenModel, cache: Cache): Promise<void> {
  const outputs = await call(model, cache.shown).catch((error: unknown) => error as Error);
  const fault =
    outputs instanceof Error ? `it does not run behind one: ${outputs.message.split('\n')[0]}` : cacheFault(cache, cache.shown, outputs);
  if (fault !== undefined) throw new AttnswapError('UNSUPPORTED', `the new attention does not keep the cache: ${fault}`);
}
