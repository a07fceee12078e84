import { visible } from '../text/untrusted.ts';

/** What comes next: a line, the stream's end, or why it is read no further. */
export type NextLine =
  | { readonly state: 'line'; readonly text: string }
  | { readonly state: 'end' }
  | { readonly state: 'refused'; readonly reason: string };

const longestLine = 2 ** 20;

/**
 * Lines of an untrusted stream, one for each `next`. Reading ends for good at a line of more than 1 MiB, and at one that nobody asked for:
 * whatever floods is not kept.
 */
export function readLines(stream: NodeJS.ReadableStream): { next(): Promise<NextLine> } {
  let pending = '';
  let over: NextLine | undefined;
  const ready: NextLine[] = [];
  let waiting: ((line: NextLine) => void) | undefined;

  const deliver = (line: NextLine): void => {
    const receiver = waiting;
    waiting = undefined;
    if (receiver !== undefined) receiver(line);
    else ready.push(line);
  };
  const refuse = (reason: string): void => {
    over = { state: 'refused', reason };
    pending = '';
    ready.length = 0;
    deliver(over);
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    if (over !== undefined) return;
    const lines = (pending + chunk).split('\n');
    pending = lines.pop()!;
    if (pending.length > longestLine) return refuse('wrote a line of more than 1 MiB');
    for (const text of lines) {
      if (waiting === undefined) return refuse(`wrote ${visible(JSON.stringify(text.slice(0, 200)))} without being asked`);
      deliver({ state: 'line', text });
    }
  });
  // One that fails ends without saying so, but closes.
  for (const end of ['end', 'close'] as const)
    stream.on(end, () => {
      over ??= { state: 'end' };
      deliver(over);
    });
  return {
    next: async () => ready.shift() ?? over ?? new Promise((resolve) => (waiting = resolve)),
  };
}
