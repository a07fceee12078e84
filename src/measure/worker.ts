import { questions, reply } from './channel.ts';
import { stageFault } from './fault.ts';
import { readiness } from './messages.ts';
import type { StageRequest } from './messages.ts';
import { runStage } from './stages.ts';

// One stage of one cell, in a process with nothing else in it. The request comes and the answer goes over Node's IPC, so
// that whatever a runtime prints cannot be taken for an answer.
const asked = questions<StageRequest>();
const { value: request } = await asked.next();
await reply(await runStage(request, untilTold).catch(stageFault));
process.exit(0);

/** Says that all is ready to be called, and waits until the parent says that nothing else runs. */
async function untilTold(): Promise<void> {
  await reply(readiness);
  await asked.next();
}
