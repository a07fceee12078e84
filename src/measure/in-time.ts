import { setTimeout } from 'node:timers/promises';

/** What `work` gives, or `late` where that takes longer than so many seconds. */
export async function inTime<Answer>(work: Promise<Answer>, seconds: number, late: Answer): Promise<Answer> {
  const timer = new AbortController();
  const limit = setTimeout(1000 * seconds, late, { signal: timer.signal }).catch(() => late);
  return Promise.race([work, limit]).finally(() => timer.abort());
}
