import { AttnswapError } from '../contract/errors.ts';
import { takeMachine } from '../processes/alone.ts';

/** How an operation takes the machine for itself. */
export interface AloneOptions {
  readonly signal?: AbortSignal | undefined;
  /** Waits for another attnswap to end, instead of throwing. */
  readonly wait?: boolean | undefined;
  /** Told once whom it waits for. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/**
 * Runs `work` alone on this machine.
 * @throws BUSY where another attnswap is measuring, and it is not to wait; INTERRUPTED where the signal has been aborted; what `work` throws
 */
export async function alone<Result>(options: AloneOptions, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const { signal = new AbortController().signal, wait, onWarning } = options;
  const release = await takeMachine({ wait, signal, say: (words) => onWarning?.(words) });
  try {
    if (signal.aborted) throw new AttnswapError('INTERRUPTED', 'interrupted');
    return await work(signal);
  } catch (error) {
    // An AbortSignal has whatever reason its owner gave it.
    throw signal.aborted && error === signal.reason ? new AttnswapError('INTERRUPTED', 'interrupted') : error;
  } finally {
    release();
  }
}
