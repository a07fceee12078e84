import { AttnswapError } from '../../contract/errors.ts';
import type { SwapProof } from '../swap/prove.ts';
import type { HostedModel } from './find-hosted-sites.ts';

/** Proves that a swap left modules, parameters and buffers as they were. @throws INVALID_MODEL */
export async function proveHosted({ path, model, sha256: before }: HostedModel): Promise<SwapProof> {
  const { modules, tensors, sha256 } = await model.attention.proof();
  if (sha256 !== before)
    throw new AttnswapError(
      'INVALID_MODEL',
      `${path}: the swap changed modules, parameters or buffers: SHA-256 ${sha256}, expected ${before}`,
    );
  return { of: 'modules', nodesKept: modules, nodesAdded: 0, nodesRemoved: [], initializersKept: tensors, initializersRemoved: [], sha256 };
}
