import type { Block, ComparedFigure } from '../contract/verdict.ts';
import { blockEffect } from '../statistics/block-effect.ts';
import { quantile } from '../statistics/order-statistics.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { areApart } from './arm.ts';
import type { Arm } from './arm.ts';
import { loadBetween, snapshotLoad } from './block-load.ts';
import { minPairSampleNs, pairProtocol } from './pair-messages.ts';
import type { PairAnswer, PairFault } from './pair-messages.ts';
import { startResident } from './resident.ts';
import type { Resident } from './resident.ts';

/** How a round samples. */
export interface Visits {
  /** Samples thrown away after a switch: caches refill, and a process that was stopped may find its threads on one processor for a while. */
  readonly dropped: number;
  /** Samples kept of each letter of ABBA. */
  readonly kept: number;
  /** Rounds of a block, at the least. */
  readonly fewest: number;
}

/**
 * A switch disturbs samples for up to 12 ms: that many milliseconds are dropped, and at least as many kept, in four samples or more. A long sample
 * averages what many short ones would show, and outlasts the disturbance.
 */
export function visitsOf(sampleNs: number): Visits {
  if (sampleNs >= 0.1e9) return { dropped: 1, kept: 1, fewest: sampleNs >= 0.5e9 ? 2 : 4 };
  const dropped = Math.ceil(0.012e9 / sampleNs);
  return { dropped, kept: sampleNs >= 0.01e9 ? 3 : Math.max(4, dropped), fewest: 2 };
}

/** What the rounds of one block take unless told otherwise. Pairs of processes differ by more than a pair's samples do: another block says more than a longer one. */
export const defaultBlockSeconds = 0.2;

export interface PairBlockOptions {
  readonly seed: number;
  /** Number of the block, from 0. */
  readonly index: number;
  /** Rows of each arm's output that are judged before it is timed. */
  readonly judgedRows: number;
  /** What all rounds together should take, nanoseconds: between 2 and 20 rounds. */
  readonly samplingNs: number;
  readonly timeoutSeconds: number;
  /** What is compared. @default 'latency' */
  readonly figure?: ComparedFigure | undefined;
  /** Calls a sample of each arm; settled by the first block, so that all blocks measure alike. */
  readonly callsPerSample?: { readonly base: number; readonly new: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What an arm said of itself before it was timed. */
export type ArmFacts = Pick<Extract<PairAnswer, { answer: 'prepared' }>, 'error' | 'scoredPairs' | 'workers' | 'warnings'>;

export type BlockOutcome =
  | {
      readonly state: 'measured';
      readonly block: Block;
      readonly callsPerSample: { readonly base: number; readonly new: number };
      readonly facts: { readonly base: ArmFacts; readonly new: ArmFacts };
    }
  | { readonly state: 'fault'; readonly arm: 'base' | 'new'; readonly fault: PairFault };

class ArmFault extends Error {
  readonly arm: 'base' | 'new';
  readonly fault: PairFault;
  constructor(arm: 'base' | 'new', fault: PairFault) {
    super(fault.reason);
    this.arm = arm;
    this.fault = fault;
  }
}

/**
 * One block: a fresh pair of workers, both resident, one active at a time. Rounds of ABBA or BAAB in random order, whose
 * samples together make the block's effect.
 * @throws the signal's reason once it is aborted
 */
export async function measureBlock(arms: { base: Arm; new: Arm }, options: PairBlockOptions): Promise<BlockOutcome> {
  const start = process.hrtime.bigint();
  // Who starts first gets other pages, and sits idle while the other warms up: the arms take turns at being first.
  const baseFirst = options.index % 2 === 0;
  const [first, second] = baseFirst ? (['base', 'new'] as const) : (['new', 'base'] as const);
  const inTurn = <Value>(early: Value, late: Value) => (baseFirst ? { base: early, new: late } : { base: late, new: early });
  const starting = { ...options, withoutForks: areApart(arms) };
  const begun: Resident[] = [];
  const begin = async (arm: Arm) => {
    const resident = await startResident(arm, starting);
    begun.push(resident);
    return resident;
  };
  try {
    const pair = inTurn(await begin(arms[first]), await begin(arms[second]));
    const prepared = await Promise.all([prepare(pair, arms, first, options), prepare(pair, arms, second, options)]);
    const early = await warm(pair[first], first, options);
    const warmed = await alike(pair, inTurn(early, await warm(pair[second], second, options)), options);
    const before = snapshotLoad();
    const rounds = await measureRounds(pair, planRounds(warmed, options), options);
    const load = loadBetween(before, snapshotLoad(), process.pid);
    const [{ workers }, other] = prepared;
    return {
      state: 'measured',
      block: {
        ...summarize(rounds, options.figure),
        ...load,
        ...(workers !== undefined && workers === other.workers && { workers }),
        elapsedNs: Number(process.hrtime.bigint() - start),
      },
      callsPerSample: { base: warmed.base.callsPerSample, new: warmed.new.callsPerSample },
      facts: inTurn(prepared[0], prepared[1]),
    };
  } catch (error) {
    if (error instanceof ArmFault) return { state: 'fault', arm: error.arm, fault: error.fault };
    throw error;
  } finally {
    await Promise.all(begun.map((resident) => resident.close()));
  }
}

type Pair = { readonly base: Resident; readonly new: Resident };

/** Both arms load and are judged side by side: nothing is timed yet. */
async function prepare(pair: Pair, arms: { base: Arm; new: Arm }, name: 'base' | 'new', options: PairBlockOptions): Promise<ArmFacts> {
  const { request } = arms[name];
  const { judgedRows, figure = 'latency' } = options;
  const question = { ask: 'prepare' as const, protocol: pairProtocol, request, judgedRows, figure };
  const answer = await pair[name].ask(question, 'prepared');
  if (answer.answer === 'fault') throw new ArmFault(name, answer);
  if ((answer.figure ?? 'latency') !== figure) {
    const reason = 'this version of attnswap compares latencies only: update it, or compare by latency';
    throw new ArmFault(name, { answer: 'fault', status: 'unsupported', reason });
  }
  return answer;
}

type Warmed = Extract<PairAnswer, { answer: 'warm' }>;

async function warm(resident: Resident, name: 'base' | 'new', options: PairBlockOptions, capNs = 0.12e9): Promise<Warmed> {
  const callsPerSample = options.callsPerSample?.[name];
  const answer = await resident.ask({ ask: 'warm', capNs, ...(callsPerSample !== undefined && { callsPerSample }) }, 'warm');
  if (answer.answer === 'fault') throw new ArmFault(name, answer);
  return answer;
}

/**
 * Arms of like speed take as many calls a sample: a median of single calls leaves out what a median of pairs of calls contains in part, so that two arms
 * on both sides of the least duration of a sample would seem to differ. The first block settles it.
 */
async function alike(pair: Pair, warmed: { base: Warmed; new: Warmed }, options: PairBlockOptions): Promise<{ base: Warmed; new: Warmed }> {
  const { base, new: changed } = warmed;
  const calls = Math.max(base.callsPerSample, changed.callsPerSample);
  const apart = Math.max(base.callNs, changed.callNs) > 2 * Math.min(base.callNs, changed.callNs);
  if (options.callsPerSample !== undefined || apart || base.callsPerSample === changed.callsPerSample) return warmed;
  const few = base.callsPerSample < calls ? 'base' : 'new';
  // No more than told: who warms up last is faster.
  await warm(pair[few], few, { ...options, callsPerSample: { base: calls, new: calls } }, 0);
  return { ...warmed, [few]: { ...warmed[few], callsPerSample: calls } };
}

/** Each arm by its own calls: what is few of the quicker one's would take the other long. */
interface RoundPlan {
  readonly base: Visits;
  readonly new: Visits;
  readonly rounds: number;
}

function planRounds(warmed: { base: Warmed; new: Warmed }, { samplingNs }: PairBlockOptions): RoundPlan {
  let [roundNs, fewest] = [0, 0];
  const plan = ({ callsPerSample, callNs }: Warmed) => {
    const sampleNs = Math.max(minPairSampleNs, callsPerSample * callNs);
    const visits = visitsOf(sampleNs);
    // Of the three visits of a round an arm has two or one, by chance, and four letters in all.
    roundNs += (1.5 * visits.dropped + 2 * visits.kept) * sampleNs;
    fewest = Math.max(fewest, visits.fewest);
    return visits;
  };
  const visits = { base: plan(warmed.base), new: plan(warmed.new) };
  return { ...visits, rounds: Math.min(20, Math.max(fewest, Math.round(samplingNs / roundNs))) };
}

interface Round {
  readonly base: readonly number[];
  readonly new: readonly number[];
}

async function measureRounds(pair: Pair, plan: RoundPlan, options: PairBlockOptions): Promise<Round[]> {
  const generator = seededGenerator(options.seed, `rounds of block ${options.index}`);
  const rounds: Round[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    const baseOutside = drawBelow(generator, 2) === 0;
    const [outside, inside] = baseOutside ? (['base', 'new'] as const) : (['new', 'base'] as const);
    const first = await visit(pair, outside, plan[outside]);
    const middle = await visit(pair, inside, { ...plan[inside], kept: 2 * plan[inside].kept });
    const outer = [...first, ...(await visit(pair, outside, plan[outside]))];
    rounds.push(baseOutside ? { base: outer, new: middle } : { base: middle, new: outer });
  }
  return rounds;
}

async function visit(pair: Pair, name: 'base' | 'new', { dropped, kept }: Pick<Visits, 'dropped' | 'kept'>): Promise<readonly number[]> {
  const answer = await pair[name].ask({ ask: 'sample', dropped, kept }, 'samples');
  if (answer.answer === 'fault') throw new ArmFault(name, answer);
  if (answer.samplesNs.length !== kept || answer.samplesNs.some((ns) => !(ns > 0 && Number.isFinite(ns)))) {
    const reason = `answered ${answer.samplesNs.length} samples, expected ${kept} positive durations`;
    throw new ArmFault(name, { answer: 'fault', status: 'failed', reason });
  }
  return answer.samplesNs;
}

/**
 * Which quantile of the samples stands for an arm. Other work only ever adds to a call's CPU time: a thread that waits for one that lost its processor
 * spins, and caches have to be filled again.
 */
const quantileOf: Readonly<Record<ComparedFigure, number>> = { latency: 0.5, 'cpu-time': 0.15 };

function summarize(rounds: readonly Round[], figure: ComparedFigure = 'latency'): Omit<Block, 'elapsedNs'> {
  const p = quantileOf[figure];
  const ofArm = (name: 'base' | 'new') =>
    quantile(
      rounds.flatMap((round) => round[name]),
      p,
    );
  return {
    logRatio: blockEffect(
      rounds.map((round) => ({ base: round.base.map(Math.log), new: round.new.map(Math.log) })),
      p,
    ),
    roundLogRatios: rounds.map((round) => Math.log(quantile(round.new, p) / quantile(round.base, p))),
    base: ofArm('base'),
    new: ofArm('new'),
  };
}
