import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { AttributeProto, ModelProto, NodeProto } from 'onnx-buf';
import type { AdapterEntry, ModelInput } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Shape } from '../contract/shape.ts';
import { writeTensors } from '../data/tensor-files.ts';
import { findAdapter } from '../loading/adapter.ts';
import { modelArm } from '../measure/arm.ts';
import { writeOnnxFile } from '../model/file/onnx-file.ts';
import { openProto } from '../model/file/open-proto.ts';
import { copyMessage } from '../model/graph/copy-message.ts';
import { probeInputs, sizesOfInputs } from '../model/sites/probe-inputs.ts';
import { requireAsRead } from '../model/swap/as-read.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { window } from '../variants/window/index.ts';
import type { AuditOptions, AuditSubject } from './audit-subject.ts';
import { defaults } from './defaults.ts';
import { loadModel } from './open-model.ts';

/** The attribute that holds the window of com.microsoft's GroupQueryAttention; −1 where it has none. */
const windowAttribute = 'local_window_size';

/**
 * A whole model, with the window of its operators as the knob where it has such. What is not attention counts, too.
 * @throws INVALID_MODEL; UNSUPPORTED where it has no attention, or its length is fixed
 */
export async function modelSubject(path: string, options: AuditOptions, adapters: readonly AdapterEntry[]): Promise<AuditSubject> {
  const { backend = defaults.backend, threads = defaults.auditThreads, dimensions = {} } = options;
  const { file, runner, sites } = await loadModel({ ...options, model: path });
  const probe = sites.scopes[0]?.probe;
  if (probe === undefined)
    throw new AttnswapError('UNSUPPORTED', `${path}: no attention was found`, { hint: `attnswap sites ${path} says why` });
  await requireAsRead({ proto: file.proto, file, runner, sites, dimensions });
  const inputs = await inputsOf(() => openProto(file.proto, file, runner));
  const caseAt = (length: number) => ({ ...probe, batch: 1, past: 0, spread: 0, length });
  const sizesAt = (length: number) => JSON.stringify(sizesOfInputs(inputs, caseAt(length), dimensions));
  if (sizesAt(32) === sizesAt(64))
    throw new AttnswapError('UNSUPPORTED', `${path}: the length is fixed, so nothing can be varied`, {
      hint: 'export the model with a dynamic length',
    });
  const windows = windowsOf(file.proto);
  const entry = findAdapter(adapters, backend);
  const folder = await temporaryFolder('audit');
  return {
    kind: 'model',
    name: path,
    backend,
    adapters,
    setting: `whole model, ${sites.sites.length} attention site${sites.sites.length === 1 ? '' : 's'} · batch 1`,
    knob:
      windows.length === 0
        ? null
        : { parameter: windowAttribute, leaving: (share, keys) => Math.max(1, Math.round(share * keys)), value: Math.max(...windows) },
    async armAt(value, length) {
      const feeds = join(folder, `${length}.safetensors`);
      await writeTensors(feeds, probeInputs(inputs, caseAt(length), dimensions));
      const model =
        value === null || windows.every((each) => each === value) ? resolve(path) : join(folder, `window-${value}`, 'model.onnx');
      if (model !== resolve(path)) {
        await mkdir(join(model, '..'), { recursive: true });
        await writeOnnxFile(model, withWindow(file.proto, value!), file, { externalFiles: 'link' });
      }
      const work = { neededWork: value === null ? length : pairs(value, length), fullWork: pairs(length, length) };
      return { arm: modelArm({ backend, model, feeds: { file: feeds }, threads }, entry), ...work };
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

async function inputsOf(open: () => ReturnType<typeof openProto>): Promise<readonly ModelInput[]> {
  const opened = await open();
  await opened.dispose();
  return opened.inputs;
}

/** Of one head: the operator is always causal. */
function pairs(w: number, length: number): number {
  const shape: Shape = { batch: 1, heads: 1, kvHeads: 1, queries: length, keys: length, headDim: 1, causal: true, dtype: 'f32' };
  return window.cost({ w, globals: 0 }, shape).scoredPairs;
}

function windowOf({ opType, domain, attribute }: NodeProto): AttributeProto | undefined {
  if (opType !== 'GroupQueryAttention' || domain !== 'com.microsoft') return undefined;
  return attribute.find(({ name, i }) => name === windowAttribute && i > 0n);
}

/** The windows that the model's operators have. */
function windowsOf({ graph }: ModelProto): number[] {
  return graph!.node.flatMap((node) => windowOf(node)?.i ?? []).map(Number);
}

/** The model with one window at all operators that have any. */
function withWindow(proto: ModelProto, w: number): ModelProto {
  const node = proto.graph!.node.map((each) => {
    const old = windowOf(each);
    if (old === undefined) return each;
    return copyMessage(each, { attribute: each.attribute.map((other) => (other === old ? copyMessage(old, { i: BigInt(w) }) : other)) });
  });
  return copyMessage(proto, { graph: copyMessage(proto.graph!, { node }) });
}
