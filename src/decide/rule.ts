import type { Comparison, Metric } from '../contract/verdict.ts';

/** What one comparison is judged by: a gate of a suite, or the flags of `ab`. */
export interface Rule {
  readonly metric: Metric;
  /** The largest relative change that passes: .05 is 5 %. */
  readonly margin: number;
  readonly direction: 'lower' | 'higher';
  /** Changes smaller than this, in the metric's unit, never count. */
  readonly absoluteFloor: number;
  /** The new figure itself may not be worse than this, whatever the base; null for none. */
  readonly limit: number | null;
  readonly onInconclusive: 'fail' | 'pass';
  readonly owner: string | null;
  /** False where the gate has expired: shown, and without effect on the exit code. */
  readonly decides: boolean;
}

/** Bytes by which peaks of one and the same model differ from launch to launch, and more: they were seen to lie between 16 and 390 KiB. */
export const peakNoiseBytes = 2 ** 20;

/** Less is better, within a margin, and nothing else: what two arms are compared by where no gate says more. A peak counts where it differs by more than noise. */
export function plainRule(metric: Metric, margin: number): Rule {
  const absoluteFloor = metric === 'peak-memory' ? peakNoiseBytes : 0;
  return { metric, margin, direction: 'lower', absoluteFloor, limit: null, onInconclusive: 'fail', owner: null, decides: true };
}

/** Whether two peaks by {@link plainRule} are so near one another that their ratio says nothing. */
export function withinPeakNoise({ metric, base, new: fresh }: Pick<Comparison, 'metric' | 'base' | 'new'>): boolean {
  return metric === 'peak-memory' && base !== null && fresh !== null && Math.abs(fresh - base) < peakNoiseBytes;
}

/** Which comparison it is. */
export interface ComparisonSubject {
  readonly cell: string;
  readonly name: string;
}

export const units: Readonly<Record<Metric, string>> = {
  latency: 'ns',
  'cpu-time': 'ns',
  'peak-memory': 'bytes',
  'memory-growth': 'factor per doubling',
  waste: 'share',
  error: 'relative',
  'scored-pairs': 'pairs',
  'ratio-to-reference': 'ratio',
  quality: 'score',
};

const varying: ReadonlySet<Metric> = new Set(['latency', 'cpu-time', 'peak-memory', 'memory-growth', 'ratio-to-reference']);

/** Whether a metric's figures vary from launch to launch: only then can a verdict be wrong by chance. */
export function varies(metric: Metric): boolean {
  return varying.has(metric);
}

/** Whether calibration says what equal arms differ by: it compares their latencies. */
export function isCalibrated(metric: Metric): boolean {
  return metric === 'latency' || metric === 'ratio-to-reference';
}

/** The fields that every comparison of a rule shares. */
export function stub(subject: ComparisonSubject, rule: Rule): Omit<Comparison, 'outcome' | 'reason'> {
  return {
    id: `${subject.cell} ${rule.metric}`,
    name: subject.name,
    cell: subject.cell,
    metric: rule.metric,
    unit: units[rule.metric],
    base: null,
    new: null,
    effect: null,
    margin: rule.margin,
    floor: null,
    direction: rule.direction,
    onInconclusive: rule.onInconclusive,
    owner: rule.owner,
    decides: rule.decides,
    minimumDetectableEffect: null,
    blocks: [],
    warnings: [],
  };
}
