import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Evidence } from '../claims/evidence.ts';
import type { Shape } from '../contract/shape.ts';
import type { SuiteDefinition } from '../contract/suite.ts';
import { AttnswapError } from '../contract/errors.ts';
import { writeWhole } from '../files/whole-file.ts';
import { readCapturedInputs } from '../inputs/captured.ts';
import { findAdapter } from '../loading/adapter.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import { capture } from './capture.ts';
import type { CaptureOptions } from './capture.ts';
import { benchEvidence } from './claims-evidence.ts';
import { defaults } from './defaults.ts';
import { adaptersOf } from './options.ts';

/** Of dense attention, which half precision is measured of, too. */
const dense = ['dense.fused', 'dense.tiled', 'dense.naive'];
const others = ['window:w=256', 'hierarchical', 'gated', 'gated:block=64,sparsity=0.4'];

interface KernelOptions extends Omit<CaptureOptions, 'out' | 'items' | 'sites'> {
  readonly lengths: readonly number[];
  readonly threads?: number | undefined;
}

/**
 * Kernels alone on what a site of a model sees at the longest length, as a suite that is written beside their record and can be run again.
 * None, with a warning, where the site cannot be captured or does not attend to its own sequence.
 */
export async function measureKernels(options: KernelOptions, { site, folder }: { site: number; folder: string }): Promise<Evidence[]> {
  const { lengths, backend = defaults.backend, seed = defaults.seed, onWarning } = options;
  if (await isHostedModel(options.model)) {
    onWarning?.('kernels alone are not measured: the inputs of a PyTorch model are not captured');
    return [];
  }
  const inputs = join(folder, `site${site}-item0.safetensors`);
  try {
    if (!existsSync(inputs)) await capture({ ...options, lengths: [Math.max(...lengths)], items: 1, sites: String(site), out: folder });
  } catch (error) {
    if (!(error instanceof AttnswapError) || (error.code !== 'UNSUPPORTED' && error.code !== 'USAGE')) throw error;
    onWarning?.(`kernels alone are not measured: ${error.message}`);
    return [];
  }
  const { shape } = (await readCapturedInputs(inputs, { dtype: 'f32' })).inputs;
  if (shape.queries !== shape.keys) {
    onWarning?.(`kernels alone are not measured: site ${site} attends to another sequence`);
    return [];
  }
  const status = await (await findAdapter(adaptersOf(options), backend).load()).status(backend);
  const dtypes = (['f32', 'f16'] as const).filter((dtype) => dtype === 'f32' || (status.available && status.dtypes.includes(dtype)));
  const suite = join(folder, 'kernels.suite.mjs');
  const definition = suiteOf(shape, { inputs: [`captured:${inputs}`], backends: [backend], dtypes, seed });
  await writeWhole(suite, `export default ${JSON.stringify(definition, null, 2)};\n`);
  return [await benchEvidence({ ...options, suite }, join(folder, 'kernels.run.json'))];
}

function suiteOf(shape: Shape, given: Pick<SuiteDefinition['matrix'], 'inputs' | 'backends' | 'dtypes' | 'seed'>): SuiteDefinition {
  const { batch, heads, kvHeads, headDim, queries, causal } = shape;
  return {
    name: 'kernels',
    description: 'attention alone, on the inputs of a site of the model',
    matrix: {
      ...given,
      variants: [...dense, ...others],
      lengths: [queries],
      causal: [causal],
      batch,
      heads,
      kvHeads,
      headDim,
    },
    exclude: others.map((variant) => ({ variant, dtype: 'f16' as const })),
    sampleSeconds: 1,
    wasteRows: 64,
  };
}
