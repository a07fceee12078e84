import type { AdapterEntry } from '../contract/adapter.ts';
import { dtypes } from '../contract/shape.ts';
import { defaults } from '../operations/defaults.ts';
import { choice, flag, hidden, inGroup, option, toggle, withDefault } from './declare.ts';
import { assumption, dimension, lengthList, percentage, repeated, seconds, wholeNumber } from './parse.ts';

/** Which backend. */
export const backend = withDefault(defaults.backend, option('<backend>', 'backend (attnswap doctor shows which run here)'));

/** Backends that attnswap does not bring. */
export const moreBackends = inGroup('Backends', {
  worker: option('<command>', "add a worker's backends, e.g. 'python3 my_worker.py' (repeatable)", repeated),
  python: option('<path>', 'Python with PyTorch (default: $ATTNSWAP_PYTHON, the venv, python3)'),
});

export const threads = option('<n>', 'threads per operator', wholeNumber(1));
export const wait = flag('wait for another attnswap to finish measuring');
export const store = withDefault(defaults.store, option('<dir>', 'folder with calibrations, baselines and stored records'));
export const causal = toggle('causal attention (--no-causal: full attention)');

/** How a comparison in blocks is made. */
export const blocks = inGroup('Measurement', {
  maxBlocks: withDefault(defaults.maxBlocks, option('<n>', 'maximum number of blocks', wholeNumber(2))),
  blockSeconds: option('<s>', 'sampling time per block (default: 0.2)', seconds),
  seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
  threads,
  store,
  wait,
});

/** The shape that both arms of a comparison have. */
export const cell = inGroup('Shape', {
  length: withDefault(defaults.cell.length, option('<n>', 'tokens', wholeNumber(1))),
  batch: withDefault(defaults.cell.batch, option('<n>', 'batch size', wholeNumber(1))),
  heads: withDefault(defaults.cell.heads, option('<n>', 'query heads (--kv-heads: key and value heads, if fewer)', wholeNumber(1))),
  kvHeads: hidden(option('<n>', 'key and value heads', wholeNumber(1))),
  headDim: withDefault(defaults.cell.headDim, option('<n>', 'head dimension', wholeNumber(1))),
  dtype: withDefault(defaults.cell.dtype, choice('<dtype>', dtypes, 'element type')),
  inputs: withDefault(defaults.cell.inputs, option('<kind>', 'gaussian, calibrated, or captured:<file>')),
});

/** What a command that opens a model takes. */
export const model = {
  backend,
  dim: option('<name=size>', 'size of a dynamic dimension, e.g. sequence=128 (repeatable)', dimension),
  assume: option('<mask>', 'known mask: mask=none, mask=causal or mask=padding:<input>', assumption),
} as const;

/** What a model is run on. */
export const data = {
  data: option('<file>', 'module, .safetensors, .npz, .npy (repeatable), .txt with --tokenizer', repeated),
  tokenizer: option('<file>', "the model's tokenizer.json"),
  lengths: option('<list>', `sequence lengths (default: as in the tensor files, else ${defaults.lengths.join(',')})`, lengthList),
  seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
} as const;

export const margin = (help: string) => option('<percent>', `${help} (default: ${100 * defaults.margin})`, percentage);

interface BackendFlags {
  readonly worker?: readonly string[] | undefined;
  readonly python?: string | undefined;
}

/** The adapters of the workers that the flags name, before attnswap's own. @throws what starting a worker throws; FILE_UNWRITABLE without a temporary folder */
export async function adaptersFrom({ worker = [], python }: BackendFlags): Promise<readonly AdapterEntry[] | undefined> {
  // What follows puts models, inputs and sources there.
  await (await import('../processes/temporary.ts')).requireTemporaryFolder();
  // The processes that measure inherit it.
  if (python !== undefined) process.env['ATTNSWAP_PYTHON'] = python;
  if (worker.length === 0) return undefined;
  const [{ workerEntry }, { adaptersOf }] = await Promise.all([import('../protocol/worker-entry.ts'), import('../operations/options.ts')]);
  return adaptersOf({}, await Promise.all(worker.map((command) => workerEntry(command, process.cwd()))));
}
