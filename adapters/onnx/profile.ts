import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Dispatch, DispatchedOperator } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import type * as ort from '../../src/processes/onnxruntime.ts';
import { temporaryFolder } from '../../src/processes/temporary.ts';
import { createSession } from './session-options.ts';

const event = z.object({
  cat: z.string(),
  name: z.string(),
  ts: z.number(),
  dur: z.number(),
  tid: z.number(),
  args: z.object({ op_name: z.string().optional(), provider: z.string().optional() }).optional(),
});

/** Operators that only move shapes and indices about: a GPU session runs them on the CPU by design. */
const bookkeeping = new Set([
  'Shape',
  'Range',
  'Cast',
  'Squeeze',
  'Unsqueeze',
  'Concat',
  'Gather',
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Mod',
  'Min',
  'Max',
  'Loop',
  'Constant',
  'Identity',
  'MemcpyToHost',
  'MemcpyFromHost',
]);

/** A session to profile: its model, and its options with the beginning of the profile's path. */
export type Profiled = (prefix: string) => { readonly model: string | Uint8Array; readonly options: ort.InferenceSession.SessionOptions };

/** A session whose calls are profiled. */
export interface ProfiledSession {
  readonly session: ort.InferenceSession;
  /** What the last call ran; later ones are not profiled. */
  end(): Promise<Dispatch>;
}

export async function openProfiled(profiled: Profiled): Promise<ProfiledSession> {
  const folder = await temporaryFolder('profile');
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const { model, options } = profiled(join(folder, 'call'));
    const session = await createSession(model, options);
    const end = async (): Promise<Dispatch> => {
      session.endProfiling();
      try {
        const operators = summarize(await recordIn(folder));
        return { operators, flags: flagsOf(operators, options) };
      } finally {
        await remove();
      }
    };
    return { session, end };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Profiles three calls in a session of its own, and reports the last: the first pays for its memory, and the second for the one block that ONNX
 * Runtime then plans to hold it.
 */
export async function profileCall(profiled: Profiled, feeds: ort.InferenceSession.FeedsType): Promise<Dispatch> {
  const { session, end } = await openProfiled(profiled);
  try {
    for (let call = 0; call < 3; call++) await session.run(feeds);
    return await end();
  } finally {
    await session.release();
  }
}

/** @throws FILE_UNREADABLE where the runtime did not write its record whole: of a full disk it says nothing */
async function recordIn(folder: string): Promise<unknown> {
  const [file] = await readdir(folder);
  if (file === undefined) return [];
  try {
    return JSON.parse(await readFile(join(folder, file), 'utf8')) as unknown;
  } catch (error) {
    throw new AttnswapError('FILE_UNREADABLE', `ONNX Runtime wrote an incomplete profile to the temporary folder ${tmpdir()}`, {
      hint: 'free some space, or choose another: TMPDIR=FOLDER attnswap …',
      cause: error,
    });
  }
}

/** Operators of the last call in a profile, by their own time. */
export function summarize(record: unknown): DispatchedOperator[] {
  const events = z.array(event).parse(record);
  const lastCall = Math.max(...events.filter(({ name }) => name === 'model_run').map(({ ts }) => ts));
  const nodes = events.filter(({ cat, name, ts }) => cat === 'Node' && ts >= lastCall && name.endsWith('_kernel_time'));
  const totals = new Map<string, { operator: string; provider: string; calls: number; totalNs: number }>();
  for (const { args, ownMicros } of withOwnTime(nodes)) {
    if (args?.op_name === undefined) continue;
    const provider = args.provider ?? 'unknown';
    const key = `${args.op_name}/${provider}`;
    const total = totals.get(key) ?? { operator: args.op_name, provider, calls: 0, totalNs: 0 };
    totals.set(key, { ...total, calls: total.calls + 1, totalNs: total.totalNs + ownMicros * 1000 });
  }
  return [...totals.values()].sort((a, b) => b.totalNs - a.totalNs);
}

type TimedNode = z.infer<typeof event> & { ownMicros: number };

/** What each node took without the nodes that ran inside of it: a Loop, Scan or If has an event around those of its body. */
function withOwnTime(nodes: readonly z.infer<typeof event>[]): readonly TimedNode[] {
  const open = new Map<number, TimedNode[]>();
  return nodes
    .toSorted((a, b) => a.ts - b.ts || b.dur - a.dur)
    .map((node) => {
      const timed = { ...node, ownMicros: node.dur };
      const around = (open.get(node.tid) ?? []).filter(({ ts, dur }) => node.ts < ts + dur);
      const parent = around.at(-1);
      if (parent !== undefined) parent.ownMicros -= node.dur;
      open.set(node.tid, [...around, timed]);
      return timed;
    });
}

function flagsOf(operators: readonly DispatchedOperator[], { executionProviders = [] }: ort.InferenceSession.SessionOptions): string[] {
  if (executionProviders.length < 2) return [];
  const onCpu = operators.filter(({ operator, provider }) => provider === 'CPUExecutionProvider' && !bookkeeping.has(operator));
  return onCpu.length === 0 ? [] : [`ran on the CPU: ${onCpu.map(({ operator, calls }) => `${operator} ×${calls}`).join(', ')}`];
}
