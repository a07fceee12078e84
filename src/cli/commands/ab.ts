import { AttnswapError } from '../../contract/errors.ts';
import { argument, defineCommand, flag, inGroup, optionalArgument, option } from '../declare.ts';
import { adaptersFrom, backend, blocks, causal, cell, margin, model, moreBackends } from '../options.ts';
import { verdictExits, verdictOutputs, writeVerdict } from '../write-verdict.ts';
import { working } from '../work.ts';

export const ab = defineCommand({
  name: 'ab',
  summary: 'is B slower than A? A paired comparison in blocks of fresh processes',
  arguments: {
    a: argument('the base: name[.kernel][:key=value,…], or an ONNX file'),
    b: optionalArgument('the new one (default: A again, from --base-dir or another backend)'),
  },
  options: {
    margin: margin('largest slowdown that passes, %'),
    backend,
    baseDir: option('<dir>', 'checkout or installation that A is taken from'),
    ...verdictOutputs,
    causal,
    dim: { ...model.dim, help: 'size of a model’s dynamic dimension, e.g. sequence=128 (repeatable)' },
    ...inGroup('Shape', cell),
    ...blocks,
    ...inGroup('Backends', {
      baseBackend: option('<backend>', "A's backend, where it differs"),
      adapter: option('<file>', "module that exports B's adapter"),
      baseAdapter: option('<file>', "module that exports A's adapter"),
    }),
    ...moreBackends,
    full: { ...flag(''), deprecated: 'use --no-causal' },
  },
  examples: [
    "attnswap ab dense.fused 'window:w=256' --length 4096",
    'attnswap ab model.onnx migrated.onnx --dim batch=1 --dim sequence=128',
  ],
  exits: verdictExits,
  async run({ a, b, dim, full, ...given }) {
    const { causal: asked = full === true ? false : undefined } = given;
    const isModel = a.endsWith('.onnx');
    refuseOthers(isModel, { ...given, causal: asked, dim });
    const { ab: compare } = await import('../../operations/ab.ts');
    const adapters = await adaptersFrom(given);
    const shared = { ...given, causal: asked, base: a, new: b, dimensions: dim, adapters };
    return writeVerdict(await working(given, (hooks) => compare({ ...shared, ...hooks })), given);
  },
});

/** A model has its own shape, and a variant has no dimensions to be named. @throws USAGE */
function refuseOthers(isModel: boolean, given: Readonly<Record<string, unknown>>): void {
  const foreign = isModel ? [...Object.keys(cell), 'causal'] : ['dim'];
  const found = foreign.find((name) => given[name] !== undefined);
  if (found === undefined) return;
  const flags = `--${found.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new AttnswapError('USAGE', `${flags} is for ${isModel ? 'variants: a model has its own shape' : 'models'}`, {
    hint: isModel ? 'sizes of a model: --dim batch=1 --dim sequence=128' : 'the shape of a variant: --length, --batch, --heads, --head-dim',
  });
}
