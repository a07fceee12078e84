import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { sizesOfInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';

/** From this size on an axis takes so much time and memory that no second batch is run. */
const manyTokens = 512;

/** The first case, and other sizes, paddings and pasts, as far as they give a model other inputs. */
export function distinctCases(inputs: readonly ModelInput[], first: ProbeCase, given: DimensionSizes): ProbeCase[] {
  const longer = first.length + Math.max(5, first.length / 2);
  const all: ProbeCase[] = [
    first,
    { ...first, batch: 3, length: longer, past: 5, style: 'right', seed: 2 },
    { ...first, style: 'left', seed: 3 },
    { ...first, batch: 1, past: 0, seed: 4 },
    // Some operators take several tokens behind a past of one batch element alone.
    { ...first, batch: 1, past: 5, seed: 11 },
    { ...first, batch: 1, length: longer, seed: 5 },
    // More keys than queries, and fewer, in whichever order a model's inputs name them.
    { ...first, style: 'right', spread: 3, seed: 6 },
    { ...first, style: 'right', spread: -3, seed: 12 },
    { ...first, style: 'mixed', seed: 8 },
    { ...first, style: 'restart', seed: 9 },
    { ...first, style: 'blocks', seed: 10 },
  ];
  const domains = Object.values(first.domains);
  const kinds = new Set(domains.map(({ kind }) => kind));
  const countsStored = domains.some((domain) => domain.kind === 'counts' && domain.stored === true);
  const shows = ({ style }: ProbeCase) =>
    kinds.has('ids') || !['restart', 'blocks'].includes(style) || (style === 'blocks' && countsStored);
  const known = new Set<string>();
  return all
    .map((at) => (isLarge(inputs, at, given) ? { ...at, batch: 2 } : at))
    .filter((at) => {
      if (!shows(at)) return false;
      const style = kinds.size === 0 ? '' : at.style;
      const key = `${style} ${JSON.stringify(sizesOfInputs(inputs, at, given))}`;
      return !known.has(key) && known.add(key) !== undefined;
    });
}

function isLarge(inputs: readonly ModelInput[], at: ProbeCase, given: DimensionSizes): boolean {
  return sizesOfInputs(inputs, at, given).some((dims) => dims.length > 1 && dims.slice(1).some((size) => size >= manyTokens));
}
