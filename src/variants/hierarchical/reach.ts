import type { Shape } from '../../contract/shape.ts';
import { blockCount } from '../blocks.ts';
import type { HierarchicalParameters } from './parameters.ts';

/** The blocks that a query sees, its own exactly and each other one as one key. */
export interface Reach {
  readonly block: number;
  /** First block seen. */
  first(position: number): number;
  /** One past the last block seen. */
  end(position: number): number;
}

/** A regional head: the blocks of `local` tokens in the query's own region and the regions before and after it. */
export function regionalReach(parameters: HierarchicalParameters, shape: Shape): Reach {
  const { local, region } = parameters;
  const perRegion = region / local;
  const blocks = blockCount(shape.keys, local);
  return {
    block: local,
    first: (position) => Math.max(0, (Math.floor(position / region) - 1) * perRegion),
    end(position) {
      if (shape.causal) return Math.floor(position / local) + 1;
      return Math.min(blocks, (Math.floor(position / region) + 2) * perRegion);
    },
  };
}

/** A global head: every region. */
export function globalReach(parameters: HierarchicalParameters, shape: Shape): Reach {
  const { region } = parameters;
  const blocks = blockCount(shape.keys, region);
  return {
    block: region,
    first: () => 0,
    end: (position) => (shape.causal ? Math.floor(position / region) + 1 : blocks),
  };
}
