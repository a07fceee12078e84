import { getEachMessage, sendMessage } from 'execa';
import type { CellSpec } from '../src/contract/cell.ts';
import { minPairSampleNs, pairProtocol } from '../src/measure/pair-messages.ts';
import type { PairAnswer, PairQuestion } from '../src/measure/pair-messages.ts';

/** Makes what a user would loop over, from a cell's own inputs. */
export type MakeCall = (cell: CellSpec) => Promise<() => unknown>;

/**
 * A bare loop in the place of an arm's worker: it answers the same questions, and has nothing in its timed region but the calls. What it is compared
 * with differs in attnswap's own code alone.
 */
export async function serveBareLoop(makeCall: MakeCall): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  let call: () => unknown = () => undefined;
  let callsPerSample = 1;
  const time = async (calls: number): Promise<number> => {
    const start = process.hrtime.bigint();
    for (let done = 0; done < calls; done++) await call();
    return Number(process.hrtime.bigint() - start);
  };
  const answer = async (question: PairQuestion): Promise<PairAnswer> => {
    if (question.ask === 'prepare') {
      if (!('cell' in question.request)) throw new Error('expected a cell');
      call = await makeCall(question.request.cell);
      return { answer: 'prepared', protocol: pairProtocol, warnings: [] };
    }
    if (question.ask === 'warm') {
      let [calls, elapsedNs] = [0, 0];
      for (; elapsedNs < question.capNs; calls++) elapsedNs += await time(1);
      callsPerSample = question.callsPerSample ?? Math.ceil((1.2 * minPairSampleNs * calls) / elapsedNs);
      return { answer: 'warm', callsPerSample, callNs: elapsedNs / calls };
    }
    const samplesNs: number[] = [];
    for (let sample = 0; sample < question.dropped + question.kept; sample++) samplesNs.push((await time(callsPerSample)) / callsPerSample);
    return { answer: 'samples', samplesNs: samplesNs.slice(question.dropped) };
  };
  for await (const question of getEachMessage()) await sendMessage((await answer(question as unknown as PairQuestion)) as never);
}
