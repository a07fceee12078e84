import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import type { ModelInput, OpenModel } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { GraphBuilder, valueInfo } from '../graph/graph-builder.ts';
import { opsetOf, readsOf } from '../graph/graph-index.ts';
import { numbersOf } from './mask-sources.ts';
import { neededNodes } from '../graph/needed-nodes.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { withOutputs } from '../graph/with-outputs.ts';
import { ThinRows } from './thin-rows.ts';
import type { Thinning } from './thin-rows.ts';

/** What is looked at in a model's runs. */
export interface Watching {
  /** Tensors, initializers and inputs among them, whose values are wanted. */
  readonly tensors: readonly string[];
  /** Tensors of which only the sizes are. */
  readonly sizes: readonly string[];
  /** Nodes that stand behind the model's own. */
  readonly nodes?: readonly NodeProto[];
  /** Whether only what these tensors need is run, with the given nodes in the place of some of the model's. */
  readonly alone?: Alone;
}

interface Alone {
  readonly instead: ReadonlyMap<NodeProto, readonly NodeProto[]>;
  /** Of which tensors every n-th row, counted back from the last, is enough: the last axis but one. */
  readonly thinned?: Pick<Thinning, 'index' | 'dims'> & { readonly tensors: ReadonlySet<string> };
}

/** The input that says how rows are thinned. */
const stepInput = 'attnswap/watch/step';

/** What one run showed. */
export interface Seen {
  readonly feeds: Tensors;
  tensor(name: string): Tensor | undefined;
  /** Sizes of a tensor; empty where it was not watched. */
  dims(name: string): readonly number[];
}

/** A model whose tensors can be looked at. */
export interface WatchedModel {
  /** What it reads. */
  readonly inputs: readonly ModelInput[];
  /**
   * @param step of thinned rows
   * @throws what the runtime throws
   */
  run(feeds: Tensors, step?: number): Promise<Seen>;
  dispose(): Promise<void>;
}

/** A model whose outputs are what is watched. */
interface Watchable {
  readonly proto: ModelProto;
  /** Outputs that give watched tensors, by their names. */
  readonly watched: ReadonlyMap<string, string>;
  /** The same of sizes. */
  readonly sized: ReadonlyMap<string, string>;
}

export function watchable(proto: ModelProto, watching: Watching): Watchable {
  const graph = new GraphBuilder({ opset: opsetOf(proto), prefix: 'attnswap/watch/' });
  const inputs = new Set(proto.graph!.input.map(({ name }) => name));
  const watched = new Map<string, string>();
  const thinned = watching.alone?.thinned;
  const rows = thinned && new ThinRows({ ...thinned, graph, step: stepInput });
  for (const name of new Set([...watching.tensors, ...(thinned?.tensors ?? [])])) {
    if (thinned?.tensors.has(name) === true) watched.set(name, rows!.of(name));
    else if (!inputs.has(name) || watching.alone !== undefined) watched.set(name, graph.op('Identity', [name]));
  }
  const sized = new Map([...new Set(watching.sizes)].map((name) => [name, graph.op('Shape', [name])]));
  const outputs = [...watched.values(), ...sized.values()];
  const nodes = [...(watching.nodes ?? []), ...graph.fragment()];
  const seen =
    watching.alone === undefined
      ? withOutputs(proto, outputs, nodes)
      : create(ModelProtoSchema, { ...proto, graph: partOf(proto.graph!, nodes, outputs, watching.alone) });
  return { proto: seen, watched, sized };
}

/** Opens a model to watch some of its tensors. @throws as opening a model does */
export async function watchModel(
  proto: ModelProto,
  watching: Watching,
  file: OnnxFile,
  runner: ModelRunner,
  purpose: 'latency' | 'reading' = 'reading',
): Promise<WatchedModel> {
  const { proto: seen, watched, sized } = watchable(proto, watching);
  const model: OpenModel = await openProto(seen, file, runner, purpose);
  const read = new Set(model.inputs.map(({ name }) => name));
  return {
    inputs: model.inputs,
    run: async (given, step = 1) => {
      const all = { ...given, [stepInput]: tensorOf('int64', [1], [-step]) };
      const feeds = Object.fromEntries(Object.entries(all).filter(([name]) => read.has(name)));
      const bound = model.bind(feeds);
      await bound.run();
      const results = bound.outputs();
      return {
        feeds: given,
        tensor: (name) => results[watched.get(name) ?? ''] ?? given[name],
        dims: (name) => {
          const sizes = results[sized.get(name) ?? ''];
          return sizes === undefined ? (given[name]?.dims ?? results[watched.get(name) ?? '']?.dims ?? []) : [...numbersOf(sizes)];
        },
      };
    },
    dispose: () => model.dispose(),
  };
}

/** Of a graph with further nodes, what some outputs need, with other nodes in the place of some. */
function partOf(graph: GraphProto, more: readonly NodeProto[], outputs: readonly string[], { instead, thinned }: Alone): GraphProto {
  const output = outputs.map((name) => create(ValueInfoProtoSchema, { name }));
  const all = [...graph.node.flatMap((node) => instead.get(node) ?? [node]), ...more];
  const needed = neededNodes(all, new Set(outputs));
  const node = all.filter((each) => needed.has(each));
  const read = new Set(node.flatMap((each) => [...readsOf(each)]));
  const step = thinned === undefined || thinned.tensors.size === 0 ? [] : [valueInfo(stepInput, 'i64', [1])];
  const isRead = ({ name }: { readonly name: string }) => read.has(name);
  return create(GraphProtoSchema, {
    ...graph,
    node,
    output,
    input: [...graph.input.filter(isRead), ...step],
    initializer: graph.initializer.filter(isRead),
    sparseInitializer: graph.sparseInitializer.filter(({ values }) => isRead(values ?? { name: '' })),
    valueInfo: [],
  });
}
