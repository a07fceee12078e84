import type { AttentionInputs } from './inputs.ts';
import type { ModelAttention, Ranks } from './model-attention.ts';
import type { DType, Shape } from './shape.ts';
import type { Span } from './span.ts';
import type { Tensors, TensorType } from './tensor.ts';
import type { Training, TrainRequest } from './training.ts';
import type { Parameters } from './variant.ts';

/** What a backend is on this machine, or why it is not there and the command that mends it. */
export type BackendStatus =
  | {
      readonly available: true;
      readonly version: string;
      readonly device: string;
      readonly threads: number | null;
      readonly dtypes: readonly DType[];
      /** What else decides about speed, such as the BLAS in use: names to words. */
      readonly details?: Readonly<Record<string, string>>;
      /** What counts the energy of its device, such as `NVML total energy of NVIDIA H200`: kernels then read it, see {@link PreparedKernel}. */
      readonly energyCounter?: string;
      /** Kernels, as `dense.fused`, that this version of the runtime lacks, each with the reason. */
      readonly lacking?: Readonly<Record<string, string>>;
    }
  | { readonly available: false; readonly reason: string; readonly mend: string };

/** A kernel, a shape or a dtype that a backend does not serve. A value, never a silent fallback. */
export interface Unsupported {
  readonly unsupported: string;
}

/** One operator of the runtime that really ran. */
export interface DispatchedOperator {
  readonly operator: string;
  /** The runtime's provider or device, such as `CPUExecutionProvider`. */
  readonly provider: string;
  readonly calls: number;
  /** Without operators that ran inside of it, such as those in the body of a loop. */
  readonly totalNs: number;
}

/** What the runtime reports to have run in one call, and what a reader should know about it. */
export interface Dispatch {
  readonly operators: readonly DispatchedOperator[];
  /** Such as «MultiHeadAttention materialized the n² logits». */
  readonly flags: readonly string[];
}

export interface KernelRequest {
  readonly backend: string;
  readonly variant: string;
  readonly parameters: Parameters;
  readonly kernel: string;
  readonly inputs: AttentionInputs;
  /**
   * Where present a call is forward and backward: the gradient with respect to the output, `[batch, heads, queries, headDim]`,
   * f32 rounded to the shape's dtype. Adapters that have no gradients answer unsupported.
   */
  readonly outputGradient?: Float32Array;
  /**
   * What the kernel is prepared for: `memory` asks the runtime to pool nothing, so that a peak shows what the call needs
   * rather than what the pool held already; `cpu-time` that threads with nothing to do sleep, as spinning would count.
   */
  readonly purpose: 'latency' | 'cpu-time' | 'memory';
  /** Threads inside one operator; the runtime's own default where absent. */
  readonly threads?: number;
  /** Whether to profile calls until {@link PreparedKernel.endProfile}, where the later ones then run as if they had never been. */
  readonly profiled?: boolean;
}

/** With respect to query `[batch, heads, queries, headDim]`, key and value `[batch, kvHeads, keys, headDim]`. */
export interface Gradients {
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
}

/** A kernel with its inputs in place, ready to be called again and again. */
export interface PreparedKernel {
  /** One whole call; resolves when the result exists (device work awaited). */
  run(): Promise<void>;
  /** Nanoseconds that `calls` calls took, one after the other, where the runtime's side times itself. Absent: `run` is timed from here. */
  timeCalls?(calls: number): Promise<number>;
  /** As many calls, and nothing beside them, such as the emptying of a cache before each timed call: for energy. Absent: `run` does the same. */
  repeat?(calls: number): Promise<void>;
  /** The process that the calls run in, where it is not this one: its memory is read from outside. */
  readonly pid?: number;
  /** Its code was compiled ahead of time: but for caches, the first calls take as long as later ones, and a short warm-up will do. */
  readonly compiledAhead?: boolean;
  /** The last call's result, `[batch, heads, queries, headDim]` as f32. Throws where no call has ended yet. */
  output(): Promise<Float32Array>;
  /** Of a call forward and backward: the last call's gradients with respect to query, key and value, in their shapes, f32. */
  gradients?(): Promise<Gradients>;
  /** What one call runs, from the runtime's own profile. May open a second session: never beside timing. */
  dispatch(): Promise<Dispatch>;
  /** Of a kernel prepared to be profiled: what the last call ran; profiles no further ones. Absent: none is, and {@link dispatch} tells. */
  endProfile?(): Promise<Dispatch>;
  /** Peak bytes of device memory in the last call, beyond what was held before it, by the runtime's allocator; null where there is no device of its own. */
  peakDeviceBytes(): Promise<{ readonly bytes: number; readonly method: string } | null>;
  /** The counter of all energy that the device has taken so far, joules; absent where there is none. */
  readonly deviceEnergy?: DeviceEnergy | undefined;
  dispose(): Promise<void>;
}

export interface DeviceEnergy {
  /** What counts. */
  readonly counter: string;
  /** @throws UNSUPPORTED where the counter cannot be read now */
  joules(): Promise<number>;
}

/** A model to open. */
export interface ModelRequest {
  readonly backend: string;
  /** Path of the model's file, or its bytes where it has no external data. Of a worker's model: its folder, `module.py:function`, or a swap of one of them. */
  readonly model: string | Uint8Array;
  /** As of a kernel: `memory` pools nothing. `reading` runs every node as it is written, so that each tensor is what its name says. */
  readonly purpose?: KernelRequest['purpose'] | 'reading';
  readonly threads?: number;
  /** Where present, a call also computes the gradients of all parameters. Runtimes that have none refuse it. */
  readonly pass?: 'forward+backward';
}

/** A process for a model. */
export interface ForkRequest extends Pick<ModelRequest, 'backend' | 'model'> {
  /** Variables that it has beside, or instead of, those of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined;
}

/** A process that was forked for one model. */
export interface ForkedProcess {
  /** As of the {@link Adapter}; once. */
  open(request: ModelRequest): Promise<OpenModel | Unsupported>;
  /** Ends the process at once. */
  end(): Promise<void>;
}

/** An input as the model declares it: a dimension is a size, or a name ('' where it has none) where it is dynamic. */
export interface ModelInput {
  readonly name: string;
  readonly type: TensorType;
  readonly dims: ReadonlyArray<number | string>;
  /** Whole numbers of it are below this, where that is known. */
  readonly below?: number | undefined;
  /** Whether a call may do without it: a decoder's cache with nothing in it. */
  readonly optional?: boolean | undefined;
  /** Bytes of an element as the model keeps it, where `type` is only how it is handed over: 2 in a cache of bf16. */
  readonly storedBytes?: number | undefined;
}

/** A model for {@link Ranks}. */
export interface RanksRequest {
  readonly backend: string;
  /** Its folder, or `module.py:function`. */
  readonly model: string;
  readonly ranks: number;
  /** Threads of each. */
  readonly threads: number;
  /** Where present, DeepSpeed shares out the model, in this way; else the runtime's own means do. */
  readonly deepspeed?: DeepSpeedStage | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How DeepSpeed shares out a model: ZeRO stage 3 shards parameters, gradients and optimizer state. */
export type DeepSpeedStage = 'zero3';

/** A model in a runtime. */
export interface OpenModel {
  readonly inputs: readonly ModelInput[];
  /** Absent where a call alone tells. */
  readonly outputs?: readonly string[];
  /** The process that it runs in, where it is not this one. */
  readonly pid?: number;
  /** Its attention, where the runtime knows it and can put other in its place. Absent: the model's graph tells. */
  readonly attention?: ModelAttention;
  /** Puts inputs in place, to be run again and again. @throws INVALID_INPUTS for a name that the model lacks or misses */
  bind(feeds: Tensors): BoundModel;
  dispose(): Promise<void>;
}

export interface BoundModel {
  /** One whole call; resolves when the outputs exist. */
  run(): Promise<void>;
  /** As of a kernel. */
  timeCalls?(calls: number): Promise<number>;
  /** As of a kernel. */
  peakDeviceBytes?(): Promise<{ readonly bytes: number; readonly method: string } | null>;
  /** The last call's outputs. Throws where no call has ended yet. */
  outputs(): Tensors;
  /** As of a kernel; absent where the runtime does not tell. */
  dispatch?(): Promise<Dispatch>;
}

/** A kernel wanted as a graph of its own, to be put into a model. */
export interface KernelGraphRequest {
  readonly variant: string;
  readonly parameters: Parameters;
  readonly kernel: string;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  /** Whether queries and keys are always equally many. */
  readonly selfAttention: boolean;
  /** Whether there is an input `mask` `[batch, keys]`, bool, true keeps. */
  readonly masked: boolean;
  /** Whether there is an input `bias` in `dtype`, four axes that broadcast to `[batch, heads, queries, keys]`: see {@link BiasTensor}. */
  readonly biased: boolean;
  /** Outside of which the model itself masks every pair. Where it is given, it says with `mask` what `bias` says: a kernel may read either. */
  readonly window?: Span | undefined;
  /** Caps the scaled logits, before bias and masks; see {@link AttentionInputs}. */
  readonly softcap?: number | undefined;
  /** Whether there is an input `sinks` `[heads]` in `dtype`. */
  readonly sinks?: boolean | undefined;
  readonly dtype: 'f32' | 'f16';
  readonly scale: number;
  /** Version of the standard operators that the model uses, at least 13. */
  readonly opset: number;
}

/** A kernel that an adapter has. */
export interface KernelDescription {
  readonly variant: string;
  /** The part after the dot: `naive` in `dense.naive`. The first listed of a variant is its default. */
  readonly kernel: string;
  readonly summary: string;
  /** Whether it adds a bias to its logits; absent where it declines one. */
  readonly takesBias?: true;
  /** Whether it caps its logits softly; absent where it declines a cap. */
  readonly takesSoftcap?: true;
  /** Whether it takes attention sinks; absent where it declines them. */
  readonly takesSinks?: true;
  /** Backends, of whatever adapter, that ignore the cap in this kernel's graph without a word, each with the reason; and a kernel that keeps it there. */
  readonly capIgnored?: { readonly on: Readonly<Record<string, string>>; readonly instead: string };
  /** Backends of the adapter that have no such kernel, each with the reason. */
  readonly lacking?: Readonly<Record<string, string>>;
  /** q·k products that this kernel computes in one call, masked ones too; on which backend, where it differs between them. */
  scoredPairs(parameters: Parameters, shape: Shape, backend?: string): number;
}

/** A call that reaches one of a backend's ceilings: what it does, and how much of it. */
export interface CeilingProbe {
  readonly kind: 'flops' | 'bytes';
  /** Operations, or bytes read and written, of one call. */
  readonly amount: number;
  /** In words. */
  readonly what: string;
  run(): Promise<void>;
  dispose(): Promise<void>;
}

/** The code that runs kernels on a family of backends. */
export interface Adapter {
  readonly name: string;
  readonly backends: readonly string[];
  readonly kernels: readonly KernelDescription[];
  /** What a machine needs for a backend beyond attnswap's own packages, in words; of backends that need something. */
  readonly needs?: Readonly<Record<string, string>>;
  status(backend: string): Promise<BackendStatus>;
  prepare(request: KernelRequest): Promise<PreparedKernel | Unsupported>;
  /**
   * The same adapter with one process for all kernels, one at a time: for checks of many small cases. Never for measuring, where a
   * kernel must find nothing of another's. Absent where kernels run in this process anyway.
   */
  inOneProcess?(): Adapter & { close(): Promise<void> };
  /** The backend of another adapter that opens models for `reading`; absent where this one does. */
  readonly readsOn?: string;
  /** Absent where the adapter runs kernels alone. @throws INVALID_MODEL */
  openModel?(request: ModelRequest): Promise<OpenModel | Unsupported>;
  /**
   * Forks a process that a model is to be opened in; null where none can be. Its calls are timed there, and its memory is read from outside: whoever measures
   * it needs no process of its own.
   */
  fork?(request: ForkRequest): Promise<ForkedProcess | null>;
  /** Opens a model in processes that train it together. Absent where the adapter trains no models. @throws UNSUPPORTED, WORKER_FAILED */
  openRanks?(request: RanksRequest): Promise<Ranks>;
  /**
   * A kernel as an ONNX model, batch and lengths dynamic: inputs `query` `[batch, heads, queries, headDim]`, `key` and `value`
   * `[batch, kvHeads, keys, headDim]`, `mask`, `bias`, `sinks`, and for `gated` `gate_u`, `gate_w`, `gate_b`; output `output`. Absent where kernels are no ONNX graphs.
   */
  kernelGraph?(request: KernelGraphRequest): Uint8Array | Unsupported;
  /** Begins a training of the testbed. Absent where the adapter has no trainer. */
  train?(request: TrainRequest): Promise<Training | Unsupported>;
  /** What the backend can do at most on this machine, to hold kernels' rates against. Absent where that is not known. */
  ceilings?(request: { readonly backend: string; readonly threads?: number }): Promise<readonly CeilingProbe[]>;
}

/** Where an adapter is found. Workers import `module`, whose export `adapter` is the {@link Adapter}. */
export interface AdapterEntry {
  readonly name: string;
  readonly backends: readonly string[];
  /** URL of the module. */
  readonly module: string;
  load(): Promise<Adapter>;
}
