import { flushCompileCache } from 'node:module';
import { questions, reply } from './channel.ts';
import { PairArm } from './pair-arm.ts';
import type { PairQuestion } from './pair-messages.ts';

// One arm of a pair, in a process of its own, which stays until it is killed.
const arm = new PairArm();
for await (const question of questions<PairQuestion>()) {
  const answered = await arm.answer(question);
  // At a SIGKILL, Node writes no compiled sources. Nothing is timed yet.
  if (question.ask === 'prepare') flushCompileCache();
  await reply(answered);
}
