import { createInterface } from 'node:readline';

/** A question as it came: its fields are not checked, as the one who asks is attnswap. */
export type Question = Readonly<Record<string, unknown>>;

/** Answers by the name of the question. */
export type Answers = Readonly<Record<string, (question: Question) => Promise<Readonly<Record<string, unknown>>>>>;

/** Answers questions on standard input, one after the other, and ends the process where that ends, or at `bye`. adapters/PROTOCOL.md */
export async function serveWorker(answers: Answers): Promise<never> {
  const lines = createInterface({ input: process.stdin });
  // Also in the middle of an answer that lets go now and then: whoever asked is gone.
  lines.on('close', () => process.exit(0));
  for await (const line of lines) {
    const question = JSON.parse(line) as Question;
    const ask = String(question['ask']);
    if (ask === 'bye') break;
    const answer = answers[ask];
    const reply =
      answer === undefined
        ? { error: `unknown question ${JSON.stringify(ask)}, expected one of ${Object.keys(answers).join(', ')}` }
        : await answer(question).catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }));
    process.stdout.write(`${JSON.stringify({ id: question['id'], ...reply })}\n`);
  }
  process.exit(0);
}
