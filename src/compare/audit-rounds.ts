import type { AuditPoint, AuditRound } from '../contract/audit.ts';
import { AttnswapError } from '../contract/errors.ts';
import { auditLooks, judgeAudit } from '../decide/judge-audit.ts';
import type { AuditEvidence, AuditJudgement } from '../decide/judge-audit.ts';
import type { CellArm, ModelArm } from '../measure/arm.ts';
import { callCost } from '../measure/call-cost.ts';
import type { CallCost } from '../measure/call-cost.ts';
import { median } from '../statistics/order-statistics.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { peak } from './compare-memory.ts';
import type { StageOptions } from './compare-memory.ts';

/** A setting to measure, and what runs it. */
export interface AuditArm {
  readonly setting: Omit<AuditPoint, 'rounds'>;
  readonly arm: CellArm | ModelArm;
}

export interface AuditRounds extends StageOptions, Pick<AuditEvidence, 'length' | 'knob' | 'onProcessors'> {
  readonly arms: readonly AuditArm[];
  /** One call on hardly any tokens: what every call takes. */
  readonly overhead: CellArm | ModelArm;
  /** Rounds at the last look. */
  readonly rounds: number;
  readonly sampleSeconds: number;
  /** Whether outputs are judged before anything is timed. */
  readonly checked: boolean;
  /** Of the order within a round. */
  readonly seed: number;
  readonly progress: (done: number, total: number, what: string) => void;
}

export interface MeasuredAudit {
  readonly points: readonly AuditPoint[];
  readonly overhead: AuditEvidence['overhead'];
  readonly judgement: AuditJudgement;
  readonly warnings: readonly string[];
}

/** Rows of an output that are judged: in the first round, and as a reminder in the others. */
const firstRows = 64;
const laterRows = 8;

/**
 * Measures every setting once per round, in an order drawn anew, until a look decides or the last one is over: what drifts with time then
 * adds to the spread between rounds, not to a slope.
 * @throws UNSUPPORTED, WORKER_FAILED where a setting cannot be measured; the signal's reason once it is aborted
 */
export async function auditRounds(options: AuditRounds): Promise<MeasuredAudit> {
  const { arms, rounds: most, length, knob, onProcessors, seed } = options;
  const { looks, tail } = auditLooks(most);
  const rounds = arms.map((): AuditRound[] => []);
  const overheads: CallCost[] = [];
  const warnings = new Set<string>();
  let hasOverhead = true;
  for (let round = 0; ; round++) {
    const generator = seededGenerator(seed, `order of round ${round}`);
    const order = shuffled([...arms.keys(), -1], (below) => drawBelow(generator, below));
    for (const [step, index] of order.entries()) {
      options.progress(round * order.length + step, most * order.length, `round ${round + 1}: ${whatOf(arms[index])}`);
      const cost = await costOf(arms[index]?.arm ?? options.overhead, round, options);
      if (index >= 0) {
        if (!('latencyNs' in cost)) throw fault(arms[index]!, cost.status, cost.reason);
        for (const warning of cost.warnings) warnings.add(warning);
        // Peaks hardly vary: those that are not judged are read once.
        const peakBytes = round === 0 || arms[index]!.setting.knob === knob ? await peakOf(arms[index]!, options) : null;
        rounds[index]!.push({ latencyNs: cost.latencyNs, cpuNs: cost.cpuNs, peakBytes });
      } else if ('latencyNs' in cost) overheads.push(cost);
      else if (hasOverhead) {
        hasOverhead = false;
        warnings.add(`the fixed overhead is unknown: ${cost.status}: ${cost.reason}`);
      }
    }
    if (!looks.includes(round + 1)) continue;
    const points = arms.map(({ setting }, index) => ({ ...setting, rounds: rounds[index]! }));
    const overhead = hasOverhead ? typical(overheads) : null;
    const judgement = judgeAudit({ points, length, knob, overhead, onProcessors, tail });
    if (judgement.settled || round + 1 === most) return { points, overhead, judgement, warnings: [...warnings] };
  }
}

function costOf(arm: CellArm | ModelArm, round: number, { checked, sampleSeconds, timeoutSeconds, signal }: AuditRounds) {
  const judgedRows = checked ? (round === 0 ? firstRows : laterRows) : 0;
  return callCost(arm, { judgedRows, samplingNs: 1e9 * sampleSeconds, timeoutSeconds, signal });
}

async function peakOf(at: AuditArm, { timeoutSeconds, signal }: AuditRounds): Promise<number> {
  const found = await peak(at.arm, { timeoutSeconds, signal });
  if ('bytes' in found) return found.bytes;
  throw fault(at, found.outcome, 'reason' in found ? found.reason : 'no figure');
}

function fault(at: AuditArm, status: string, reason: string): AttnswapError {
  const hint = {
    unsupported: 'attnswap doctor shows what this machine runs',
    mismatch: '--unchecked audits it anyway, whatever it computes',
  }[status];
  return new AttnswapError(status === 'unsupported' ? 'UNSUPPORTED' : 'WORKER_FAILED', `${whatOf(at)}: ${status}: ${reason}`, {
    hint: hint ?? 'a smaller --length needs less memory and time',
  });
}

function whatOf(at: AuditArm | undefined): string {
  if (at === undefined) return 'fixed overhead';
  const { knob, length } = at.setting;
  return `${knob === null ? '' : `knob ${knob} at `}${length} tokens`;
}

function typical(costs: readonly CallCost[]): AuditEvidence['overhead'] {
  const cpu = costs.flatMap(({ cpuNs }) => cpuNs ?? []);
  return { latencyNs: median(costs.map(({ latencyNs }) => latencyNs)), cpuNs: cpu.length === costs.length ? median(cpu) : null };
}

/** Fisher and Yates. */
function shuffled(values: readonly number[], draw: (below: number) => number): number[] {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last--) {
    const other = draw(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
