import type { Progress } from '../operations/options.ts';
import { safeLines, visible } from '../text/untrusted.ts';
import type { CommonFlags } from './console.ts';

/** Where there is no terminal, a line is written this often. */
const silenceMs = 10_000;

export interface ProgressLine {
  update(progress: Progress): void;
  stop(): void;
}

/**
 * What is being done, the share done and the time left: one line that changes on a terminal, a line every ten seconds elsewhere, nothing
 * with --quiet.
 */
export function progressLine({ quiet }: CommonFlags, stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  if (quiet === true) return { update: () => undefined, stop: () => undefined };
  return stream.isTTY ? onTerminal(stream) : inLog(stream);
}

function inLog(stream: NodeJS.WritableStream): ProgressLine {
  const startedAt = performance.now();
  let latest: Progress | undefined;
  const write = () => {
    if (latest !== undefined) stream.write(`${safeLines(progressText(latest, (performance.now() - startedAt) / 1000))}\n`);
  };
  // Unreferenced: work that can no longer end must not be waited for.
  const timer = setInterval(write, silenceMs).unref();
  return {
    update: (progress) => {
      const isFirst = latest === undefined;
      latest = progress;
      if (isFirst) write();
    },
    stop: () => clearInterval(timer),
  };
}

function onTerminal(stream: NodeJS.WriteStream): ProgressLine {
  const startedAt = performance.now();
  let latest: Progress = { what: '' };
  const format = () => progressText(latest, (performance.now() - startedAt) / 1000).slice(0, (stream.columns ?? 100) - 1);
  const bar = import('cli-progress').then(({ SingleBar }) => {
    const line = new SingleBar({ format, stream, hideCursor: true, clearOnComplete: true, fps: 4, forceRedraw: true });
    line.start(1, 0);
    return line;
  });
  return { update: (progress) => void (latest = progress), stop: () => void bar.then((line) => line.stop()) };
}

/** `[3/12] dense.fused … · 17 % · 2 min left`. */
export function progressText({ what, done, total, secondsLeft }: Progress, elapsedSeconds: number): string {
  const known = done !== undefined && total !== undefined && total > 0;
  const share = known ? done / total : undefined;
  const left = secondsLeft ?? (share !== undefined && share > 0 ? (elapsedSeconds * (1 - share)) / share : undefined);
  return [
    `${known ? `[${Math.min(done + 1, total)}/${total}] ` : ''}${visible(what)}`,
    ...(share === undefined ? [] : [`${Math.round(100 * share)} %`]),
    ...(left === undefined ? [] : [`${secondsLeft === undefined ? 'about' : 'at most'} ${duration(left)} left`]),
  ].join(' · ');
}

/** 40 s, 12 min, 1 h 5 min. */
function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
