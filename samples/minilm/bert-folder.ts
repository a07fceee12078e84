import type { ModelProto, TensorProto } from 'onnx-buf';
import { AttnswapError } from '../../src/contract/errors.ts';
import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { GraphIndex } from '../../src/model/graph/graph-index.ts';

const words = 'embeddings.word_embeddings.weight';

/** What transformers' BertConfig says of paraphrase-MiniLM-L3. */
export const bertConfig = {
  architectures: ['BertModel'],
  model_type: 'bert',
  vocab_size: 30522,
  hidden_size: 384,
  num_hidden_layers: 3,
  num_attention_heads: 12,
  intermediate_size: 1536,
  hidden_act: 'gelu',
  max_position_embeddings: 512,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  dtype: 'float32',
};

const linear = [
  'attention.self.query',
  'attention.self.key',
  'attention.self.value',
  'attention.output.dense',
  'intermediate.dense',
  'output.dense',
];
const norms = ['attention.output.LayerNorm', 'output.LayerNorm'];

/** Of each parameter, its name. */
function parameterNames(): string[] {
  const layers = Array.from({ length: bertConfig.num_hidden_layers }, (_, layer) => layer);
  const both = [
    'embeddings.LayerNorm',
    ...layers.flatMap((layer) => [...linear, ...norms].map((name) => `encoder.layer.${layer}.${name}`)),
  ];
  const tables = ['word', 'position', 'token_type'].map((what) => `embeddings.${what}_embeddings.weight`);
  return [...tables, ...both.flatMap((name) => [`${name}.weight`, `${name}.bias`])];
}

/**
 * The weights of an exported BERT encoder under the names that transformers' BertModel gives them. Exporters keep the names of tables, norms
 * and biases; the weights of linear layers lose theirs and are transposed: the bias that is added behind each says which it is.
 * @throws INVALID_DATA where one is missing
 */
export function bertTensors({ graph }: ModelProto): Tensors {
  const index = new GraphIndex(graph!);
  const prefix = graph!.initializer.find(({ name }) => name.endsWith(words))?.name.slice(0, -words.length) ?? '';
  return Object.fromEntries(
    parameterNames().map((name) => {
      const own = index.constant(prefix + name);
      const tensor = own === undefined ? transposedWeight(index, `${prefix}${name.replace(/weight$/, 'bias')}`) : floats(own);
      if (tensor !== undefined) return [name, tensor];
      throw new AttnswapError('INVALID_DATA', `MiniLM sample: the model has no ${name}`, { hint: 'npm run fetch-models' });
    }),
  );
}

/** The constant that is multiplied with where a bias is added, as PyTorch keeps it. */
function transposedWeight(index: GraphIndex, bias: string): Tensor | undefined {
  const [sum] = index.consumers(bias);
  const product = sum?.input.map((name) => index.producer(name)).find((node) => node?.opType === 'MatMul');
  const weight = product && index.constant(product.input[1]!);
  if (weight === undefined) return undefined;
  const { data, dims } = floats(weight);
  const [rows = 0, columns = 0] = dims;
  const turned = Float32Array.from(data, (_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!);
  return { type: 'float32', dims: [columns, rows], data: turned };
}

function floats({ name, dims, rawData, floatData }: TensorProto): Tensor & { readonly data: Float32Array } {
  const data = floatData.length > 0 ? Float32Array.from(floatData) : new Float32Array(rawData.slice().buffer);
  const sizes = dims.map(Number);
  if (data.length === sizes.reduce((product, size) => product * size, 1)) return { type: 'float32', dims: sizes, data };
  throw new AttnswapError('INVALID_DATA', `MiniLM sample: ${name} holds ${data.length} floats, expected [${sizes.join(', ')}]`);
}
