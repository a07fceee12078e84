import type { Dispatch, KernelRequest, PreparedKernel } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { findVariant } from '../../src/variants/index.ts';
import type { Engine } from './engine.ts';
import { readTensor, using } from './engine.ts';
import type { Call, KernelTensors, Tensor, TfjsKernel } from './kernel.ts';
import { profileCall } from './profile.ts';

/** A kernel whose inputs lie on the backend. */
export class TfjsCall implements PreparedKernel {
  readonly #engine: Engine;
  readonly #kernel: TfjsKernel;
  readonly #request: KernelRequest;
  #constants: Tensor[] = [];
  #tensors: KernelTensors | undefined;
  #call: Call | undefined;
  #output: Tensor | Float32Array | undefined;
  #renewed = false;
  #device: { readonly bytes: number; readonly method: string } | null = null;

  constructor(engine: Engine, kernel: TfjsKernel, request: KernelRequest) {
    this.#engine = engine;
    this.#kernel = kernel;
    this.#request = request;
    this.#place();
  }

  run(): Promise<void> {
    return using(this.#engine, async () => {
      this.#dropOutput();
      if (this.#request.purpose === 'memory') return this.#runForMemory();
      this.#output = this.#once();
      await this.#engine.synchronize?.();
    });
  }

  /**
   * A call whose peak can be seen: device memory is followed, and after the first call, which loads and compiles, memory that
   * only grows is given back. Later calls run in what the second one left: they show no peak on WebAssembly.
   */
  async #runForMemory(): Promise<void> {
    const watch = this.#engine.watchDevice?.();
    const output = this.#once();
    this.#output = output;
    await this.#engine.synchronize?.();
    this.#device = watch === undefined ? null : { bytes: watch.peak(), method: watch.method };
    if (this.#engine.renew === undefined || this.#renewed) return;
    this.#renewed = true;
    const values = await readTensor(output);
    this.#free();
    await this.#engine.renew();
    this.#place();
    this.#output = values;
    (globalThis as { gc?: () => void }).gc?.();
  }

  async output(): Promise<Float32Array> {
    const output = this.#output;
    if (output === undefined)
      throw new AttnswapError('WORKER_FAILED', `${this.#request.backend}: no call has ended, so there is no output`);
    return output instanceof Float32Array ? output : using(this.#engine, () => readTensor(output));
  }

  dispatch(): Promise<Dispatch> {
    return using(this.#engine, () => profileCall(this.#engine, () => this.#once(), this.#kernel.selects(this.#request.parameters)));
  }

  async peakDeviceBytes(): Promise<{ readonly bytes: number; readonly method: string } | null> {
    return this.#device;
  }

  dispose(): Promise<void> {
    return using(this.#engine, () => this.#free());
  }

  #once(): Tensor {
    return this.#engine.tf.tidy(() => this.#call!(this.#tensors!));
  }

  #place(): void {
    const { tf, heads, selection } = this.#engine;
    const { shape, scale, mask } = this.#request.inputs;
    this.#tensors = placeInputs(this.#engine, this.#request);
    this.#call = this.#kernel.plan({
      ...{ tf, shape, scale, heads, selection, parameters: this.#request.parameters, masked: mask !== undefined },
      constant: (values, dims) => {
        const tensor = tf.keep(tf.tensor(values, dims, 'float32'));
        this.#constants.push(tensor);
        return tensor;
      },
    });
  }

  #dropOutput(): void {
    if (this.#output !== undefined && !(this.#output instanceof Float32Array)) this.#output.dispose();
    this.#output = undefined;
  }

  #free(): void {
    this.#dropOutput();
    const { gate, ...others } = this.#tensors ?? {};
    const held = [...Object.values(others), ...(gate === undefined ? [] : [gate.u, gate.w, gate.b]), ...this.#constants];
    for (const tensor of held) tensor?.dispose();
    this.#tensors = undefined;
    this.#constants = [];
  }
}

function placeInputs({ tf }: Engine, { inputs, variant }: KernelRequest): KernelTensors {
  const { shape, mask, gate } = inputs;
  const { batch, heads, kvHeads, queries, keys, headDim } = shape;
  // A copy: some backends keep the array that they are given.
  const place = (values: ArrayLike<number>, dims: number[]) => tf.tensor(Float32Array.from(values), dims, 'float32');
  const tensors = {
    query: place(inputs.query, [batch, heads, queries, headDim]),
    key: place(inputs.key, [batch, kvHeads, keys, headDim]),
    value: place(inputs.value, [batch, kvHeads, keys, headDim]),
    ...(mask !== undefined && { mask: place(mask, [batch, keys]) }),
  };
  if (findVariant(variant).takesGate !== true || gate === undefined) return tensors;
  const dims = [heads, headDim, gate.rank];
  return { ...tensors, gate: { rank: gate.rank, u: place(gate.u, dims), w: place(gate.w, dims), b: place(gate.b, [heads]) } };
}
