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

/** The latest progress as text, from now on. */
function latestProgress() {
  const startedAt = performance.now();
  let [latest, firstShare]: [Progress?, number?] = [];
  return {
    update(progress: Progress): void {
      latest = progress;
      firstShare ??= shareOf(progress);
    },
    /** '' where nothing was told. */
    isIdle: () => latest?.idle === true,
    text: () => (latest === undefined ? '' : progressText(latest, (performance.now() - startedAt) / 1000, firstShare)),
  };
}

function inLog(stream: NodeJS.WritableStream): ProgressLine {
  const latest = latestProgress();
  let said = '';
  const write = () => {
    const text = latest.text();
    if (text !== '' && !(latest.isIdle() && text === said)) stream.write(`${safeLines(text)}\n`);
    said = text;
  };
  // Unreferenced: work that can no longer end must not be waited for.
  const timer = setInterval(write, silenceMs).unref();
  return {
    update: (progress) => {
      const isFirst = latest.text() === '';
      latest.update(progress);
      if (isFirst) write();
    },
    stop: () => clearInterval(timer),
  };
}

function onTerminal(stream: NodeJS.WriteStream): ProgressLine {
  const latest = latestProgress();
  const format = () => latest.text().slice(0, (stream.columns ?? 100) - 1);
  const bar = import('cli-progress').then(({ SingleBar }) => {
    const line = new SingleBar({ format, stream, hideCursor: true, clearOnComplete: true, fps: 4, forceRedraw: true });
    line.start(1, 0);
    return line;
  });
  return { update: latest.update, stop: () => void bar.then((line) => line.stop()) };
}

/** `[3/12] dense.fused … · 17 % · 2 min left`; what was done before, `firstShare` of all, took none of the time. */
export function progressText(progress: Progress, elapsedSeconds: number, firstShare = 0): string {
  const { what, done, total, secondsLeft } = progress;
  const share = shareOf(progress);
  const left =
    secondsLeft ?? (share !== undefined && share > firstShare ? (elapsedSeconds * (1 - share)) / (share - firstShare) : undefined);
  const known = done !== undefined && total !== undefined && total > 0;
  return [
    `${known ? `[${Math.min(done + 1, total)}/${total}] ` : ''}${visible(what)}`,
    ...(share === undefined ? [] : [`${Math.round(100 * share)} %`]),
    ...(left === undefined ? [] : [`${secondsLeft === undefined ? 'about' : 'at most'} ${duration(left)} left`]),
  ].join(' · ');
}

function shareOf({ done, total, share }: Progress): number | undefined {
  return share ?? (done !== undefined && total !== undefined && total > 0 ? done / total : undefined);
}

/** 40 s, 12 min, 1 h 5 min. */
function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
