import type { AuditPoint, AuditRecord } from '../contract/audit.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import type { Knob } from '../contract/variant.ts';
import type { CellArm, ModelArm } from '../measure/arm.ts';
import type { CellOptions } from './ab.ts';
import type { OperationOptions } from './options.ts';

export interface AuditOptions extends OperationOptions, CellOptions {
  /** The kernel, as `name[.kernel][:key=value,…]`, or the path of an ONNX model; for a callable, what it claims to be. @default 'window' */
  readonly kernel?: string | undefined;
  /** @default 'onnx-cpu', for a callable 'callable-cpu' */
  readonly backend?: string | undefined;
  /** A Python function of q, k, v and a keyword, as `package.module:function`. */
  readonly callable?: string | undefined;
  /** The callable's keyword for the knob. @default the first of `window`, `window_size`, … and the parameter's own name that it has */
  readonly keyword?: string | undefined;
  /** Kind of arrays that the callable takes. @default 'torch' */
  readonly arrays?: 'torch' | 'numpy' | undefined;
  /** The length at which the knob varies, and the longest. @default 4096 */
  readonly length?: number | undefined;
  /** Values of the knob. @default those that leave 1/16, 1/8, 1/4, 1/2 and all of the keys */
  readonly values?: readonly number[] | undefined;
  /** Sizes of a model's other dynamic dimensions. */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
  /** Maximum number of rounds; three may decide. @default 6 */
  readonly rounds?: number | undefined;
  /** Sampling time per setting and round, seconds. @default 0.3 */
  readonly sampleSeconds?: number | undefined;
  /** Audits even if the output differs from the float64 reference. @default false */
  readonly unchecked?: boolean | undefined;
  /** Threads per operator; with one, CPU time measures work, not waiting. @default 1 */
  readonly threads?: number | undefined;
  /** Random seed for inputs and the order within rounds. @default 1 */
  readonly seed?: number | undefined;
}

/** What is audited, and how each setting of it is run. */
export interface AuditSubject extends Pick<AuditRecord, 'kind' | 'name' | 'backend' | 'setting'> {
  readonly adapters: readonly AdapterEntry[];
  /** What varies, with its value where the length varies; null where nothing says how much is attended to. */
  readonly knob: (Knob & { readonly value: number }) | null;
  armAt(knob: number | null, length: number): Promise<Pick<AuditPoint, 'neededWork' | 'fullWork'> & { readonly arm: CellArm | ModelArm }>;
  dispose?(): Promise<void>;
}
