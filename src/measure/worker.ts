import { questions, reply } from './channel.ts';
import { describeFault } from './fault.ts';
import type { StageAnswer, StageRequest } from './messages.ts';
import { runStage } from './stages.ts';

// One stage of one cell, in a process with nothing else in it. The request comes and the answer goes over Node's IPC, so
// that whatever a runtime prints cannot be taken for an answer.
for await (const request of questions<StageRequest>()) {
  await reply(await runStage(request).catch(faultOf));
  process.exit(0);
}

function faultOf(error: unknown): StageAnswer {
  const { status, reason } = describeFault(error);
  return { outcome: status, reason };
}
