import type { BoundModel, ForkedProcess, KernelRequest, OpenModel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensor } from '../contract/tensor.ts';
import { readTensors } from '../data/tensor-files.ts';
import { decodeHalf } from '../inputs/half-precision.ts';
import { drawModelInputs } from '../inputs/model-inputs.ts';
import { loadAdapter } from '../loading/adapter.ts';
import type { ModelArmRequest } from './messages.ts';

/** A model that ran once, its inputs in place. */
export interface PreparedModel extends BoundModel, Pick<OpenModel, 'pid'> {
  dispose(): Promise<void>;
}

/**
 * Opens a model, binds its inputs and runs it once.
 * @param forked the process that it is opened in; as its adapter does it where absent
 * @throws UNSUPPORTED; INVALID_MODEL; INVALID_INPUTS; WORKER_FAILED where an output is not finite
 */
export async function prepareModel(
  request: ModelArmRequest,
  purpose: KernelRequest['purpose'],
  forked?: ForkedProcess,
): Promise<PreparedModel> {
  const adapter = await loadAdapter(request.adapterModule);
  const { backend, model, threads, pass } = request;
  const wanted = { backend, model, purpose, ...(threads !== undefined && { threads }), ...(pass !== undefined && { pass }) };
  const opened = await (forked === undefined ? adapter.openModel?.(wanted) : forked.open(wanted));
  if (opened === undefined || 'unsupported' in opened)
    throw new AttnswapError('UNSUPPORTED', opened?.unsupported ?? `${adapter.name} cannot run models`);
  try {
    const bound = opened.bind(await feedsFor(opened, request));
    await bound.run();
    const bad = Object.entries(bound.outputs()).find(([, tensor]) => !isFinite(tensor));
    if (bad !== undefined) throw new AttnswapError('WORKER_FAILED', `${model}: output ${bad[0]} has values that are not finite`);
    return { ...bound, ...(opened.pid !== undefined && { pid: opened.pid }), dispose: () => opened.dispose() };
  } catch (error) {
    await opened.dispose();
    throw error;
  }
}

async function feedsFor(opened: OpenModel, { feeds }: ModelArmRequest) {
  return 'file' in feeds ? readTensors(feeds.file) : drawModelInputs(opened.inputs, feeds.sizes, feeds.seed);
}

function isFinite({ type, data }: Tensor): boolean {
  if (!type.startsWith('float')) return true;
  const values = type === 'float16' ? Array.from(data as Uint16Array, decodeHalf) : (data as Float32Array);
  return values.every(Number.isFinite);
}
