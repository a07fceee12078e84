import type { AttentionInputs, BiasTensor } from '../../contract/inputs.ts';
import type { ModelInput, OpenModel } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import type { ModelProto, NodeProto } from 'onnx-buf';
import type { Body } from '../graph/bodies.ts';
import { conditionOf, isTaken, scopeOf } from '../sites/scopes.ts';
import { appendMask } from '../sites/append-mask.ts';
import { appendSinks } from '../sites/append-sinks.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { opsetOf, readsOf } from '../graph/graph-index.ts';
import { neededNodes } from '../graph/needed-nodes.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { maskedBelow } from '../sites/read-masks.ts';
import { roundedRow } from '../sites/rounding.ts';
import type { Rounding } from '../sites/rounding.ts';
import { openProto } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { withOutputs } from '../graph/with-outputs.ts';
import type { SwappableSite } from '../sites/site.ts';
import { findVariant } from '../../variants/index.ts';
import { visitRows } from '../../variants/reference.ts';
import { sampleRows } from '../../variants/sample-rows.ts';
import { appendView } from '../sites/views.ts';
import type { NewAttention } from './swap.ts';

/** What a site read, and what it gave. */
export interface CapturedCall extends AttentionInputs {
  /** `[batch, heads, queries, headDim]`. */
  readonly output: Float32Array;
  /** What attention beside the site's own read and gave, where there is one. */
  readonly beside?: Pick<CapturedCall, 'query' | 'output'>;
  /** What the model rounds on the way to `output`; absent where it does not. */
  readonly rounding?: Rounding;
}

/** A model that shows what its sites see. */
export interface CapturingModel {
  readonly inputs: readonly ModelInput[];
  /** Runs the model on an item's inputs and gives what each site read, by number; nothing of sites in branches that it does not take. */
  capture(feeds: Tensors): Promise<ReadonlyMap<number, CapturedCall>>;
  dispose(): Promise<void>;
}

/** The model to open. */
interface Opening {
  readonly proto: ModelProto;
  /** Of a swapped model: what its sites are described by may be gone from it. */
  readonly original?: ModelProto;
  /** Attention to run beside that of a site, on the same keys and values. */
  readonly beside?: ReadonlyMap<SwappableSite, NewAttention>;
}

/**
 * Opens a model with the queries, keys, values, masks, biases and outputs of some sites as further outputs.
 * @throws as opening a model does
 */
export async function openForCapture(
  opening: Opening,
  wanted: readonly SwappableSite[],
  file: OnnxFile,
  runner: ModelRunner,
): Promise<CapturingModel> {
  const scopes: CapturingModel[] = [];
  const dispose = async () => void (await Promise.all(scopes.map((scope) => scope.dispose())));
  try {
    for (const body of new Set(wanted.map(({ plan }) => plan.body))) {
      const inside = wanted.filter(({ plan }) => plan.body === body);
      scopes.push(await openScope(opening, body, inside, file, runner));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    inputs: scopes[0]!.inputs,
    capture: async (feeds) => {
      const calls: Array<[number, CapturedCall]> = [];
      for (const scope of scopes) calls.push(...(await scope.capture(feeds)));
      return new Map(calls);
    },
    dispose,
  };
}

/** Opens the model as it computes in one scope. It captures nothing of items on which the model takes another branch. */
async function openScope(
  { proto, original = proto, beside }: Opening,
  body: Body | undefined,
  wanted: readonly SwappableSite[],
  file: OnnxFile,
  runner: ModelRunner,
): Promise<CapturingModel> {
  const graph = new GraphBuilder({ opset: opsetOf(proto), prefix: 'attnswap/capture/' });
  const names = wanted.map((each) => {
    const { site, plan } = each;
    const projected = plan.project?.(graph);
    const view = (part: 'query' | 'key' | 'value') =>
      appendView(graph, projected === undefined ? plan[part] : { ...plan[part], tensor: projected[part] });
    const parts = { query: view('query'), key: view('key'), value: view('value') };
    return {
      ...parts,
      output: appendView(graph, plan.output),
      // A bias says all of a mask.
      mask: plan.mask === undefined || plan.bias !== undefined ? undefined : appendMask(graph, plan.mask, parts),
      bias: plan.bias?.(graph, parts),
      sinks: plan.sinks && appendSinks(graph, plan.sinks, site),
      besideQuery: beside?.get(each)?.query,
      besideOutput: beside?.get(each)?.output,
    };
  });
  const outputs = names.flatMap((each) => Object.values(each).filter((name) => name !== undefined));
  const condition = body && graph.op('Identity', [conditionOf(proto, body)]);
  if (condition !== undefined) outputs.push(condition);
  const nodes = [...graph.fragment(), ...wanted.flatMap((each) => beside?.get(each)?.nodes ?? [])];
  // Optimised graphs move quantisers past reshapes and transpositions: a tensor would no longer hold what its name says.
  const scope = restored(scopeOf(proto, body).proto, scopeOf(original, body).proto, nodes);
  const model: OpenModel = await openProto(withOutputs(scope, outputs, nodes), file, runner, 'reading');
  return {
    inputs: model.inputs,
    capture: async (feeds) => {
      const bound = model.bind(feeds);
      await bound.run();
      const tensors = { ...feeds, ...bound.outputs() };
      if (body !== undefined && !isTaken(body, tensors[condition!])) return new Map();
      return new Map(wanted.map((each, at) => [each.site.site, captured(each, names[at]!, tensors)]));
    },
    dispose: () => model.dispose(),
  };
}

/** A swapped model with what some nodes read and only the old attention needed put back, from the original. */
function restored(proto: ModelProto, original: ModelProto, readers: readonly NodeProto[]): ModelProto {
  const [graph, before] = [proto.graph!, original.graph!];
  const given = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const { output } of [...graph.node, ...readers]) for (const name of output) given.add(name);
  const missing = readers.flatMap((node) => [...readsOf(node)]).filter((name) => !given.has(name));
  if (missing.length === 0) return proto;
  const needed = neededNodes(before.node, new Set(missing));
  const node = before.node.filter((each) => needed.has(each) && !each.output.some((name) => given.has(name)));
  const read = new Set([...missing, ...node.flatMap((each) => [...readsOf(each)])]);
  const initializer = before.initializer.filter(({ name }) => read.has(name) && !given.has(name));
  return copyMessage(proto, {
    graph: copyMessage(graph, { node: [...graph.node, ...node], initializer: [...graph.initializer, ...initializer] }),
  });
}

type Names = Readonly<Record<'query' | 'key' | 'value' | 'output', string>> &
  Readonly<Record<'mask' | 'bias' | 'sinks' | 'besideQuery' | 'besideOutput', string | undefined>>;

function captured({ site, plan: { rounding } }: SwappableSite, names: Names, tensors: Tensors): CapturedCall {
  const [query, key, value, output] = [names.query, names.key, names.value, names.output].map((name) => tensors[name] as Tensor);
  const [batch = 0, heads = 0, queries = 0, headDim = 0] = query!.dims;
  const [, kvHeads = 0, keys = 0] = key!.dims;
  const mask = names.mask === undefined ? undefined : (tensors[names.mask]!.data as Uint8Array);
  const bias = names.bias === undefined ? undefined : tensors[names.bias]!;
  const { sinks, besideQuery, besideOutput } = names;
  const beside =
    besideQuery === undefined ? undefined : { query: numbersOf(tensors[besideQuery]!), output: numbersOf(tensors[besideOutput!]!) };
  const dtype = site.dtype === 'f16' ? ('f16' as const) : ('f32' as const);
  return {
    shape: { batch, heads, kvHeads, queries, keys, headDim, causal: site.causal === true, dtype },
    query: numbersOf(query!),
    key: numbersOf(key!),
    value: numbersOf(value!),
    output: numbersOf(output!),
    ...(mask !== undefined && { mask }),
    ...(bias !== undefined && { bias: { dims: bias.dims as unknown as BiasTensor['dims'], values: numbersOf(bias) } }),
    ...(site.softcap !== undefined && { softcap: site.softcap }),
    ...(sinks !== undefined && { sinks: numbersOf(tensors[sinks]!) }),
    ...(beside !== undefined && { beside }),
    ...(rounding !== undefined && { rounding }),
    scale: site.scale,
  };
}

/** Rows of a call that are held against the definition. */
const checkedRows = { count: 512, seed: 1 } as const;

/** What the model's own arithmetic may be off by. */
const faithfulWithin = { f32: 1e-3, f16: 2e-2, bf16: 2e-2 } as const;

/**
 * ‖output − definition‖ / ‖definition‖, where that is softmax(scale·q·kᵀ)·v, masked and rounded as the call says, and as much of it as numbers
 * in the middle of two steps explain. Queries that see no key are left out.
 */
export function distanceFromDefinition({ output, rounding, ...inputs }: CapturedCall): {
  readonly relative: number;
  readonly slack: number;
} {
  const { shape } = inputs;
  let [difference, size, slack] = [0, 0, 0];
  visitRows(inputs, { variant: findVariant('dense'), parameters: {} }, sampleRows(shape, checkedRows), (reference) => {
    const { at, row } = reference;
    const rounded = rounding && roundedRow(reference, rounding);
    const expected = rounded?.output ?? reference.output;
    const hidden = inputs.bias !== undefined && row.logit.subarray(0, row.length).every((logit) => logit < maskedBelow);
    if (hidden || reference.output.every((component) => component === 0)) return;
    const from = ((at.batch * shape.heads + at.head) * shape.queries + at.query) * shape.headDim;
    expected.forEach((component, place) => {
      difference += (output[from + place]! - component) ** 2;
      size += component ** 2;
    });
    slack += (rounded?.slack ?? 0) ** 2;
  });
  const whole = size || 1;
  return { relative: Math.sqrt(difference / whole), slack: Math.sqrt(slack / whole) };
}

/**
 * Why what was captured does not say what the site did: where the definition, of what it read, is not what the site gave, the site hides
 * keys or adds to logits by something that no tensor of it carries. Undefined where it is right.
 */
export function captureFault(call: CapturedCall): string | undefined {
  const { shape, ...inputs } = call;
  const { relative, slack } = distanceFromDefinition(call);
  // Not >: what is no number is no agreement.
  if (relative <= faithfulWithin[shape.dtype] + slack) return undefined;
  const masks = [
    ...(shape.causal ? ['the causal mask'] : []),
    ...(inputs.mask === undefined ? [] : ['its padding mask']),
    ...(inputs.bias === undefined ? [] : ['its bias']),
  ];
  const seen = masks.length === 0 ? 'no mask' : masks.join(' and ');
  return `with ${seen}, softmax(scale·q·kᵀ)·v of its inputs differs from its output by ${relative.toPrecision(2)} of its size: it masks keys in a way that the short runs did not show`;
}
