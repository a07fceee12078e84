import { getOneMessage, sendMessage } from 'execa';
import { describeFault } from './fault.ts';
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
  const { status, reason } = describeFault(error);
  answer = { outcome: status, reason };
}
await sendMessage(answer as never);
process.exit(0);
