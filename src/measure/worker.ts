import { getOneMessage, sendMessage } from 'execa';
import { AttnswapError } from '../contract/errors.ts';
import type { StageAnswer, StageRequest } from './messages.ts';
import { runStage } from './stages.ts';

// One stage of one cell, in a process with nothing else in it. The request comes and the answer goes over Node's IPC, so
// that whatever a runtime prints cannot be taken for an answer.
process.once('disconnect', () => process.exit(1));
const request = (await getOneMessage()) as unknown as StageRequest;
let answer: StageAnswer;
try {
  answer = await runStage(request);
} catch (error) {
  answer = { outcome: error instanceof AttnswapError && error.code === 'UNSUPPORTED' ? 'unsupported' : 'failed', reason: describe(error) };
}
await sendMessage(answer as never);
process.exit(0);

function describe(error: unknown): string {
  const text =
    error instanceof AttnswapError
      ? `${error.code}: ${error.message}`
      : error instanceof Error
        ? `${error.name}: ${error.message}`
        : String(error);
  return text.slice(0, 2000);
}
