import { AttnswapError } from '../../contract/errors.ts';
import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { Domains } from './input-domains.ts';
import { probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import type { Seen, WatchedModel } from './watch.ts';

/** One run of a model on drawn inputs, and what it showed. */
export interface ProbeRun {
  readonly at: ProbeCase;
  readonly seen: Seen;
}

/** How a model is run on drawn inputs. */
export interface Prober {
  readonly model: WatchedModel;
  readonly inputs: readonly ModelInput[];
  readonly given: DimensionSizes;
}

/** @throws what the runtime throws */
export async function runProbe({ model, inputs, given }: Prober, at: ProbeCase): Promise<ProbeRun> {
  return { at, seen: await model.run(probeInputs(inputs, at, given)) };
}

const lengths = [7, 32, 64, 160, 320];
const vocabularies = [100, 8];

/**
 * The smallest case that a model runs and that shows enough: images need more than a few pixels, and a vocabulary may be tiny. The
 * largest that it runs where none shows enough.
 * @throws INVALID_INPUTS with the first failure where it runs none
 */
export async function findProbeCase(prober: Prober, domains: Domains, enough: (run: ProbeRun) => boolean): Promise<ProbeRun> {
  const failures: string[] = [];
  let largest: ProbeRun | undefined;
  for (const length of lengths) {
    for (const vocabulary of vocabularies) {
      const at: ProbeCase = { batch: 2, length, past: 3, style: 'plain', seed: 1, vocabulary, domains };
      try {
        const run = await runProbe(prober, at);
        if (enough(run)) return run;
        if (largest === undefined || run.at.length > largest.at.length) largest = run;
        break;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
  }
  if (largest !== undefined) return largest;
  // The runtime's own limits do not depend on sizes: its words are then the same at every length.
  const kinds = new Set(failures.map((message) => message.replaceAll(/\d+/g, '#')));
  throw new AttnswapError('INVALID_INPUTS', `the model failed on every set of random inputs: ${failures[0]}`, {
    hint:
      kinds.size === 1
        ? 'the runtime gives the same error at every length: unless it is about a size that --dim can set, the runtime does not support this model; export it differently or use another backend'
        : 'set its dynamic dimensions, for example --dim batch=1 --dim width=320',
  });
}
