import type { Arm } from './arm.ts';
import { pairProtocol } from './pair-messages.ts';
import type { PairAnswer, PairFault } from './pair-messages.ts';
import { startResident } from './resident.ts';

/** What an arm states of itself once its output is judged on 256 rows; nothing is timed. */
export async function factsOf(
  arm: Arm,
  options: { timeoutSeconds: number; signal?: AbortSignal | undefined },
): Promise<PairFault | Extract<PairAnswer, { answer: 'prepared' }>> {
  const resident = await startResident(arm, options);
  try {
    return await resident.ask({ ask: 'prepare', protocol: pairProtocol, request: arm.request, judgedRows: 256 }, 'prepared');
  } finally {
    await resident.close();
  }
}
