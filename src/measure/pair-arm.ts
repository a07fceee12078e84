import { signalForked, workersOf } from '../processes/forked.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { ComparedFigure } from '../contract/verdict.ts';
import { systemClock } from './clock.ts';
import { cpuTimeNs } from './cpu-time.ts';
import { describeFault } from './fault.ts';
import type { ModelArmRequest } from './messages.ts';
import { minPairSampleNs, pairProtocol } from './pair-messages.ts';
import type { PairAnswer, PairQuestion } from './pair-messages.ts';
import type { PreparedModel } from './prepare-model.ts';
import type { JudgedKernel } from './prepare-cell.ts';
import { runSampleLoop, timedBy } from './sample-loop.ts';
import type { Call, TimeCalls } from './sample-loop.ts';
import { warmUp } from './sampling.ts';

const clock = systemClock();

interface Subject {
  readonly call: Call;
  readonly timeCalls: TimeCalls;
  /** The process that computes, where it is another one. */
  readonly pid?: number | undefined;
  readonly compiledAhead?: boolean | undefined;
}

/** Warm-up of what was compiled ahead. The arm that warms up last is some per cent faster in what follows, the more so the longer it takes. */
const shortWarmNs = 0.015e9;

/** How a model is made ready to be timed. */
export type OpenArm = (request: ModelArmRequest, figure: ComparedFigure) => Promise<PreparedModel>;

const openHere: OpenArm = async (request, figure) => (await import('./prepare-model.ts')).prepareModel(request, figure);

/** One arm of a pair: does nothing until it is asked, and answers one question at a time. It loads what its arm needs, a cell or a model. */
export class PairArm {
  readonly #open: OpenArm;
  #subject: Subject | undefined;
  #callsPerSample = 1;

  constructor(open: OpenArm = openHere) {
    this.#open = open;
  }

  /** A fault where it cannot. Between answers, a forked worker rests. */
  async answer(question: PairQuestion): Promise<PairAnswer> {
    signalForked(this.#subject?.pid, 'SIGCONT');
    const answered = await this.#answer(question).catch((error: unknown): PairAnswer => ({ answer: 'fault', ...describeFault(error) }));
    signalForked(this.#subject?.pid, 'SIGSTOP');
    return answered;
  }

  async #answer(question: PairQuestion): Promise<PairAnswer> {
    if (question.ask === 'prepare') {
      const prepared = await this.#prepare(question);
      // Both arms at once, as nothing is timed yet.
      globalThis.gc?.();
      return prepared;
    }
    if (this.#subject === undefined) throw new Error(`asked to ${question.ask} before anything was prepared`);
    if (question.ask === 'warm') return this.#warm(this.#subject, question);
    return this.#sample(this.#subject, question);
  }

  async #prepare(question: PairQuestion & { ask: 'prepare' }): Promise<PairAnswer> {
    if (question.protocol !== pairProtocol) {
      const reason = `this attnswap speaks pair protocol ${pairProtocol}, but was asked in ${question.protocol}: update one of the two`;
      return { answer: 'fault', status: 'unsupported', reason };
    }
    const { request, figure = 'latency' } = question;
    if ('model' in request) return this.#openModel(request, figure);
    const { expectKernel, judgeKernel, prepareCell } = await import('./prepare-cell.ts');
    const cell = await prepareCell(request, figure);
    let judged: JudgedKernel | undefined;
    if (question.judgedRows === 0) await cell.kernel.run();
    else judged = await judgeKernel(cell, await expectKernel(cell, question.judgedRows));
    if (judged?.reason !== undefined) return { answer: 'fault', status: 'mismatch', reason: judged.reason };
    const { kernel } = cell;
    const { pid, compiledAhead } = kernel;
    const call = () => kernel.run();
    const calls = kernel.timeCalls?.bind(kernel) ?? timedBy(clock, call);
    this.#subject = { call, timeCalls: figure === 'cpu-time' ? cpuTimeOf(calls, pid) : calls, pid, compiledAhead };
    const facts = { protocol: pairProtocol, figure, scoredPairs: cell.scoredPairs, ...workersOf(pid), warnings: cell.warnings };
    return { answer: 'prepared', ...facts, ...(judged !== undefined && { error: judged.error }) };
  }

  async #openModel(request: ModelArmRequest, figure: ComparedFigure): Promise<PairAnswer> {
    const model = await this.#open(request, figure);
    const call = () => model.run();
    const calls = model.timeCalls ?? timedBy(clock, call);
    this.#subject = { call, timeCalls: figure === 'cpu-time' ? cpuTimeOf(calls, model.pid) : calls, pid: model.pid };
    return { answer: 'prepared', protocol: pairProtocol, figure, ...workersOf(model.pid), warnings: [] };
  }

  async #warm({ call, timeCalls, compiledAhead }: Subject, question: PairQuestion & { ask: 'warm' }): Promise<PairAnswer> {
    const capNs = compiledAhead === true ? Math.min(question.capNs, shortWarmNs) : question.capNs;
    const warmed = await warmUp(call, { clock, timeCalls, warmUp: { capNs, window: 5 }, minSampleNs: minPairSampleNs });
    this.#callsPerSample = question.callsPerSample ?? warmed.callsPerSample;
    return { answer: 'warm', callsPerSample: this.#callsPerSample, callNs: warmed.elapsedNs / warmed.calls };
  }

  async #sample({ timeCalls, pid }: Subject, { dropped, kept }: PairQuestion & { ask: 'sample' }): Promise<PairAnswer> {
    const callsPerSample = this.#callsPerSample;
    const samplesNs: number[] = [];
    const before = cpuTimeNs(pid);
    await runSampleLoop({
      clock,
      async sample() {
        const durationNs = (await timeCalls(callsPerSample)) / callsPerSample;
        samplesNs.push(durationNs);
        return durationNs;
      },
      done: () => samplesNs.length >= dropped + kept,
    });
    const after = cpuTimeNs(pid);
    const cpu = before === undefined || after === undefined ? {} : { cpuNs: (after - before) / (samplesNs.length * callsPerSample) };
    return { answer: 'samples', samplesNs: samplesNs.slice(dropped), ...cpu };
  }
}

/** The same calls, timed by what all threads of the process that computes have run. */
function cpuTimeOf(timeCalls: TimeCalls, pid: number | undefined): TimeCalls {
  return async (calls) => {
    const before = cpuTimeNs(pid);
    await timeCalls(calls);
    const after = cpuTimeNs(pid);
    if (before === undefined || after === undefined)
      throw new AttnswapError('UNSUPPORTED', 'this system does not report the CPU time of another process');
    return after - before;
  };
}
