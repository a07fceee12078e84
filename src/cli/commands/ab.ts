import { AttnswapError } from '../../contract/errors.ts';
import { comparedFigures } from '../../contract/verdict.ts';
import { argument, choice, defineCommand, flag, hidden, inGroup, optionalArgument, option } from '../declare.ts';
import { adaptersFrom, backend, blocks, causal, cell, margin, model, moreBackends } from '../options.ts';
import { verdictExits, verdictOutputs, writeVerdict } from '../write-verdict.ts';
import { working } from '../work.ts';

export const ab = defineCommand({
  name: 'ab',
  summary: 'compare two kernels or models in paired blocks of fresh processes',
  arguments: {
    a: argument('base: name[.kernel][:key=value,…], or an ONNX file'),
    b: optionalArgument('new version (default: A again, with another --base-dir or --base-backend)'),
  },
  options: {
    margin: margin('largest acceptable slowdown, % (--metric cpu-time: of CPU time)'),
    metric: hidden(choice('<metric>', comparedFigures, 'what is compared')),
    backend: { ...backend, help: "backend (--base-backend: A's, if different)" },
    baseBackend: hidden(option('<backend>', "A's backend")),
    baseDir: option('<dir>', 'run A from this checkout or installation'),
    ...verdictOutputs,
    causal,
    dim: { ...model.dim, help: 'size of a model’s dynamic dimension, e.g. sequence=128 (repeatable)' },
    ...inGroup('Shape', cell),
    ...blocks,
    ...inGroup('Backends', {
      adapter: option('<file>', "module that exports B's adapter (--base-adapter: A's)"),
      baseAdapter: hidden(option('<file>', "module that exports A's adapter")),
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
  throw new AttnswapError('USAGE', `${flags} applies only to ${isModel ? 'variants; a model has its own shape' : 'models'}`, {
    hint: isModel
      ? 'set the sizes of a model with --dim, e.g. --dim batch=1 --dim sequence=128'
      : 'set the shape of a variant with --length, --batch, --heads, --head-dim',
  });
}
