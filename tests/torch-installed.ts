import './optional-runtimes.ts';
import { adapter } from '../adapters/torch/adapter.ts';

const status = await adapter.status('torch-cpu');

/** For tests: false where a Python with PyTorch was found, else the reason and what mends it. */
export const skip: string | false = status.available ? false : `${status.reason}; ${status.mend}`;

/** For tests of what PyTorch 2 brought. */
export const skipBefore2: string | false =
  status.available && Number(/\d+/.exec(status.version)) < 2 ? `${status.version} has no scaled_dot_product_attention` : skip;
