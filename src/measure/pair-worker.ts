import { flushCompileCache } from 'node:module';
import { questions, reply } from './channel.ts';
import { systemClock } from './clock.ts';
import { describeFault } from './fault.ts';
import type { ModelArmRequest } from './messages.ts';
import { pairProtocol } from './pair-messages.ts';
import type { PairAnswer, PairQuestion } from './pair-messages.ts';
import { runSampleLoop, timedBy } from './sample-loop.ts';
import type { Call, TimeCalls } from './sample-loop.ts';
import { warmUp } from './sampling.ts';

// One arm of a pair: stays resident, does nothing until it is asked, and answers one question at a time. It loads what its arm needs, a cell or a model.
const clock = systemClock();
let subject: { readonly call: Call; readonly timeCalls: TimeCalls } | undefined;
let callsPerSample = 1;

for await (const question of questions<PairQuestion>()) await reply(await answer(question).catch(faultOf));

async function answer(question: PairQuestion): Promise<PairAnswer> {
  // The worker will end by SIGKILL, at which Node writes no compiled sources. Nothing is timed yet.
  if (question.ask === 'prepare') return prepare(question).finally(() => flushCompileCache());
  if (subject === undefined) throw new Error(`asked to ${question.ask} before anything was prepared`);
  if (question.ask === 'warm') return warm(subject, question);
  return { answer: 'samples', samplesNs: await sample(subject.timeCalls, question) };
}

async function prepare(question: PairQuestion & { ask: 'prepare' }): Promise<PairAnswer> {
  if (question.protocol !== pairProtocol) {
    const reason = `this attnswap speaks pair protocol ${pairProtocol}, but was asked in ${question.protocol}: update one of the two`;
    return { answer: 'fault', status: 'unsupported', reason };
  }
  if ('model' in question.request) return openModel(question.request);
  const { judgeKernel, prepareCell } = await import('./prepare-cell.ts');
  const cell = await prepareCell(question.request, 'latency');
  const { error, reason } = await judgeKernel(cell, question.judgedRows);
  if (reason !== undefined) return { answer: 'fault', status: 'mismatch', reason };
  const { kernel } = cell;
  const call = () => kernel.run();
  subject = { call, timeCalls: kernel.timeCalls?.bind(kernel) ?? timedBy(clock, call) };
  return { answer: 'prepared', protocol: pairProtocol, error, scoredPairs: cell.scoredPairs, warnings: cell.warnings };
}

async function openModel(request: ModelArmRequest): Promise<PairAnswer> {
  const { prepareModel } = await import('./prepare-model.ts');
  const model = await prepareModel(request, 'latency');
  const call = () => model.run();
  subject = { call, timeCalls: timedBy(clock, call) };
  return { answer: 'prepared', protocol: pairProtocol, warnings: [] };
}

async function warm({ call, timeCalls }: NonNullable<typeof subject>, question: PairQuestion & { ask: 'warm' }): Promise<PairAnswer> {
  globalThis.gc?.();
  const warmed = await warmUp(call, { clock, timeCalls, warmUp: { capNs: question.capNs, window: 5 } });
  callsPerSample = question.callsPerSample ?? warmed.callsPerSample;
  return { answer: 'warm', callsPerSample, callNs: warmed.elapsedNs / warmed.calls };
}

async function sample(timeCalls: TimeCalls, { dropped, kept }: PairQuestion & { ask: 'sample' }): Promise<readonly number[]> {
  const samplesNs: number[] = [];
  await runSampleLoop({
    clock,
    async sample() {
      const durationNs = (await timeCalls(callsPerSample)) / callsPerSample;
      samplesNs.push(durationNs);
      return durationNs;
    },
    done: () => samplesNs.length >= dropped + kept,
  });
  return samplesNs.slice(dropped);
}

function faultOf(error: unknown): PairAnswer {
  return { answer: 'fault', ...describeFault(error) };
}
