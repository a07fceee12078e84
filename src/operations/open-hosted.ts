import { AttnswapError } from '../contract/errors.ts';
import type { Adapter } from '../contract/adapter.ts';
import { findAdapter } from '../loading/adapter.ts';
import { findHostedSites, openHosted } from '../model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { defaults } from './defaults.ts';
import type { ModelOptions } from './open-model.ts';
import { adaptersOf } from './options.ts';

/** The backend that opens a model which a worker holds. */
export function hostedBackend({ backend = defaults.hostedBackend }: ModelOptions): string {
  return backend;
}

/** Opens a model in a worker, finds its attention, and closes it whatever becomes of `work`. @throws UNSUPPORTED, WORKER_FAILED */
export async function usingHosted<Result>(
  options: ModelOptions,
  work: (hosted: HostedModel, adapter: Adapter) => Promise<Result>,
): Promise<Result> {
  const { model: path, dimensions, assume } = options;
  if (assume !== undefined)
    throw new AttnswapError('USAGE', `${path}: --assume is for ONNX models; the masks of a PyTorch model are observed as it runs`);
  options.onProgress?.({ what: `reading ${path}: opening it in Python` });
  const backend = hostedBackend(options);
  const adapter = await findAdapter(adaptersOf(options), backend).load();
  const model = await openHosted(path, adapter, backend);
  try {
    options.onProgress?.({ what: `reading ${path}: running it` });
    return await work(await findHostedSites(path, model, dimensions), adapter);
  } finally {
    await model.dispose();
  }
}
