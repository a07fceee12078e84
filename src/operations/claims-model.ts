import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Evidence } from '../claims/evidence.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Shape } from '../contract/shape.ts';
import type { SuiteDefinition } from '../contract/suite.ts';
import { writeWhole } from '../files/whole-file.ts';
import { readCapturedInputs } from '../inputs/captured.ts';
import { captureFound } from './capture.ts';
import { benchEvidence, readEvidence } from './claims-evidence.ts';
import { defaults } from './defaults.ts';
import { usingFound } from './found-model.ts';
import type { FoundModel } from './found-model.ts';
import { migrateFound } from './migrate.ts';
import type { MigrateOptions } from './migrate-options.ts';

/** Of dense attention, which half precision is measured of, too. */
const dense = ['dense.fused', 'dense.tiled', 'dense.naive'];
/** The gate of blocks drops the article's share of them. */
const others = ['window:w=256', 'hierarchical', 'gated', 'gated:block=64,sparsity=0.41'];

interface ModelEvidenceOptions extends MigrateOptions {
  readonly lengths: readonly number[];
}

interface Wanted {
  /** Kinds of records that the claims are read from. */
  readonly needed: ReadonlySet<Evidence['kind']>;
  readonly until: 'baseline' | 'swap';
  readonly folder: string;
}

/**
 * What a model can show, with its attention found once: a migration up to its second phase, and kernels alone on what its first site reads at the
 * longest length, as a suite that is written beside their record and can be run again.
 */
export async function measureModel(options: ModelEvidenceOptions, { needed, until, folder }: Wanted): Promise<Evidence[]> {
  const evidence: Evidence[] = [];
  const kernels = join(folder, 'kernels');
  const suite = await usingFound(options, async (found) => {
    if (needed.has('migration')) evidence.push(await migrated({ ...options, until, dir: join(folder, 'migration') }, found));
    return needed.has('run') ? suiteOf(options, found, kernels) : undefined;
  });
  if (suite !== undefined) evidence.push(await benchEvidence({ ...options, suite }, join(kernels, 'kernels.run.json')));
  return evidence;
}

async function migrated(options: MigrateOptions, found: FoundModel): Promise<Evidence> {
  const { candidates, folder } = await migrateFound({ ...options, fresh: true, keptOnly: true }, found);
  for (const { name, latency, decision } of candidates ?? [])
    if (latency === null) options.onWarning?.(`${name}: ${decision.reasons.join(' ')}`);
  return readEvidence(folder);
}

/** The suite's path; undefined, with a warning, where the site cannot be captured or does not attend to its own sequence. */
async function suiteOf(options: ModelEvidenceOptions, found: FoundModel, folder: string): Promise<string | undefined> {
  const { lengths, seed = defaults.seed } = options;
  const [site = 0] = found.sites.swappable.keys();
  const inputs = join(folder, `site${site}-item0.safetensors`);
  const skip = (reason: string): undefined => {
    options.onWarning?.(`kernels alone are not measured: ${reason}`);
  };
  try {
    const asked = { ...options, lengths: [Math.max(...lengths)], items: 1, sites: String(site), out: folder };
    if (!existsSync(inputs)) await captureFound(asked, found);
  } catch (error) {
    if (!(error instanceof AttnswapError) || (error.code !== 'UNSUPPORTED' && error.code !== 'USAGE')) throw error;
    return skip(error.message);
  }
  if (!existsSync(inputs)) return skip(`the model does not run site ${site} on the data`);
  const { shape } = (await readCapturedInputs(inputs, { dtype: 'f32' })).inputs;
  if (shape.queries !== shape.keys) return skip(`site ${site} attends to another sequence`);
  const { adapter, backend } = found.runner;
  const status = await adapter.status(backend);
  const dtypes = (['f32', 'f16'] as const).filter((dtype) => dtype === 'f32' || (status.available && status.dtypes.includes(dtype)));
  const suite = join(folder, 'kernels.suite.mjs');
  const definition = definitionOf(shape, { inputs: [`captured:${inputs}`], backends: [backend], dtypes, seed });
  await writeWhole(suite, `export default ${JSON.stringify(definition, null, 2)};\n`);
  return suite;
}

function definitionOf(shape: Shape, given: Pick<SuiteDefinition['matrix'], 'inputs' | 'backends' | 'dtypes' | 'seed'>): SuiteDefinition {
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
