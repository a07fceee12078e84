import { on } from 'node:events';

/**
 * What the parent asks over Node's IPC, one message at a time; without a parent the process ends. Plain Node, because the library that
 * starts workers would be a third of the modules that a worker loads.
 */
export async function* questions<Question>(): AsyncGenerator<Question> {
  process.once('disconnect', () => process.exit(1));
  for await (const [question] of on(process, 'message')) yield question as Question;
}

/** Answers the parent; resolves once the answer is written. */
export function reply(answer: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(answer, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}
