import type { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { tamed, visible } from '../text/untrusted.ts';
import { envelopeSchema } from './messages.ts';

/** A question, and the worker that was asked, as messages name it. */
export interface Asked {
  readonly id: number;
  readonly question: string;
  readonly shown: string;
}

/** An error that a worker answered with: it runs, and says what is wrong. */
export class AnsweredError extends AttnswapError {}

/** Of a worker that did not answer: it was killed, crashed, is silent, or could not be started. That says nothing of what it was asked. */
export class LostWorkerError extends AttnswapError {}

/** A worker's line, of which only the id is checked. @throws WORKER_PROTOCOL */
export function readEnvelope(line: string, { id, question, shown }: Asked) {
  const got = visible(JSON.stringify(line.slice(0, 200)));
  const envelope = envelopeSchema.safeParse(parseJson(line));
  if (!envelope.success) throw violation(`the worker ${shown}, asked ${question}, answered ${got}, expected a JSON object with id ${id}`);
  if (envelope.data.id !== id)
    throw violation(`the worker ${shown} answered id ${envelope.data.id}, expected ${id} (${question}): out of order`);
  return envelope.data;
}

/** What a worker's line answers. @throws WORKER_PROTOCOL for a malformed answer; WORKER_FAILED for an error that the worker reports */
export function readReply<Reply>(line: string, asked: Asked, schema: z.ZodType<Reply>): Reply {
  const { question, shown } = asked;
  const envelope = readEnvelope(line, asked);
  if (envelope.error !== undefined)
    throw new AnsweredError('WORKER_FAILED', `the worker ${shown} failed to ${question}: ${envelope.error.slice(0, 1000)}`);
  const parsed = schema.safeParse(envelope);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const got = visible(JSON.stringify(line.slice(0, 200)));
  throw violation(`the worker ${shown}, asked ${question}, answered ${got}: ${issue.path.join('.') || 'the reply'}: ${issue.message}`);
}

function parseJson(line: string): unknown {
  try {
    return tamed(JSON.parse(line) as unknown);
  } catch {
    return undefined;
  }
}

export function failed(message: string, hint?: string): LostWorkerError {
  return new LostWorkerError('WORKER_FAILED', message, hint === undefined ? {} : { hint });
}

export function violation(message: string): AttnswapError {
  return new AttnswapError('WORKER_PROTOCOL', message, { hint: 'standard output is reserved for answers; see adapters/PROTOCOL.md' });
}
