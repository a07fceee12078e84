import type { NodeProto } from 'onnx-buf';
import { bufferedParts, groupQueryParts, joinPast, joinStackedPast } from './cached-keys.ts';
import type { Parts } from './cached-keys.ts';
import type { Candidate, Declared, DeclaredMask, Projected, RawView, SinkSource } from './candidate.ts';
import { axesOf } from '../graph/axes-of.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import { softcapOf } from './soft-cap.ts';

/** Attention as one operator: com.microsoft's four, and the standard one of opset 23. */
export function matchFused(index: GraphIndex): Candidate[] {
  return index.graph.node.flatMap((node) => {
    const name = operatorName(node);
    const match = matchers[name];
    return match === undefined ? [] : [withReadOutputs(index, withKnownParts(name, match(node, index)))];
  });
}

/** An operator with its domain. */
export function operatorName({ domain, opType }: NodeProto): string {
  return `${domain === 'ai.onnx' ? '' : domain}/${opType}`;
}

/**
 * Why an operator that is attention by its name is no site; undefined where it is one, or is none of ONNX Runtime's operators. Those that it
 * does not compute on the CPU cannot be run at all.
 */
export function unreadOperator(node: NodeProto): string | undefined {
  const name = operatorName(node);
  if (!/^(com\.microsoft)?\/.*Attention/.test(name) || matchers[name] !== undefined) return undefined;
  const devices = elsewhere[name];
  return devices === undefined ? `${node.opType} is not read` : `ONNX Runtime computes ${node.opType} on ${devices} alone`;
}

const elsewhere: Readonly<Record<string, string>> = {
  'com.microsoft/DecoderMaskedSelfAttention': 'CUDA',
  'com.microsoft/PagedAttention': 'CUDA and WebGPU',
};

const matchers: Readonly<Record<string, (node: NodeProto, index: GraphIndex) => Candidate>> = {
  'com.microsoft/MultiHeadAttention': multiHead,
  'com.microsoft/Attention': packedAttention,
  'com.microsoft/GroupQueryAttention': groupQuery,
  'com.microsoft/DecoderMaskedMultiHeadAttention': decoderMasked,
  '/Attention': standardAttention,
};

/** Attributes that are read, and inputs up to those that are, by operator: what is not known may change what it computes. */
const known: Readonly<Record<string, { readonly attributes: string; readonly inputs: number }>> = {
  'com.microsoft/MultiHeadAttention': { attributes: 'num_heads mask_filter_value scale unidirectional', inputs: 8 },
  'com.microsoft/Attention': {
    attributes:
      'num_heads unidirectional scale mask_filter_value do_rotary rotary_embedding_dim qkv_hidden_sizes past_present_share_buffer',
    inputs: 6,
  },
  'com.microsoft/GroupQueryAttention': {
    attributes:
      'num_heads kv_num_heads scale local_window_size do_rotary rotary_interleaved softcap smooth_softmax qk_output causal sliding_window_cache',
    inputs: 12,
  },
  'com.microsoft/DecoderMaskedMultiHeadAttention': {
    attributes: 'num_heads past_present_share_buffer scale mask_filter_value output_qk',
    inputs: 11,
  },
  '/Attention': { attributes: 'is_causal q_num_heads kv_num_heads scale softcap softmax_precision qk_matmul_output_mode', inputs: 7 },
};

/** Refuses an operator with an attribute or an input that is not known. */
function withKnownParts(name: string, candidate: Candidate): Candidate {
  const { anchor } = candidate;
  const { attributes, inputs } = known[name]!;
  const attribute = anchor.attribute.find((each) => !attributes.split(' ').includes(each.name));
  const input = anchor.input.find(
    (each, at) => at >= inputs && each !== '' && !candidate.declared?.masks.some(({ tensor }) => tensor === each),
  );
  const refusal =
    attribute !== undefined
      ? `its attribute ${attribute.name} is not recognized and may change what it computes`
      : input !== undefined
        ? `its input ${input} is not recognized and may change what it computes`
        : undefined;
  return refusal === undefined || candidate.refusal !== undefined ? candidate : { ...candidate, refusal };
}

/** Of what an operator hands on only keys and values can be had from another attention. */
function withReadOutputs(index: GraphIndex, candidate: Candidate): Candidate {
  const given = candidate.declared?.project?.(new GraphBuilder()).outputs ?? {};
  const isRead = (name: string) => name !== '' && (index.consumers(name).length > 0 || index.isOutput(name));
  const more = candidate.anchor.output.slice(1).filter((name) => isRead(name) && !Object.hasOwn(given, name));
  if (more.length === 0 || candidate.refusal !== undefined) return candidate;
  return { ...candidate, refusal: `other outputs of it are used: ${more.join(', ')}` };
}

function fused(node: NodeProto, views: { query: RawView; key: RawView; value: RawView }, declared: Declared, refusal?: string): Candidate {
  const { packedHeads } = views.query;
  const output = { tensor: node.output[0]!, ...(packedHeads !== undefined && { packedHeads }) };
  return { anchor: node, pattern: node.opType, ...views, output, declared, ...(refusal !== undefined && { refusal }) };
}

/** Sinks by their input, or of zeros where the operator has them by its attribute. */
function sinksOf(node: NodeProto, at: number): SinkSource | undefined {
  const tensor = present(node, at);
  if (tensor !== undefined) return { tensor };
  return integerOf(node, 'smooth_softmax', 0) === 1 ? {} : undefined;
}

function scaleOf(node: NodeProto): number | undefined {
  const scale = attributeOf(node, 'scale')?.f;
  return scale === undefined || scale === 0 ? undefined : scale;
}

function present(node: NodeProto, at: number): string | undefined {
  const name = node.input[at];
  return name === undefined || name === '' ? undefined : name;
}

/** Whether an operator names further outputs: the keys and values that it attended to. */
function handsOn({ output }: NodeProto): boolean {
  return output.slice(1).some((name) => name !== '');
}

/** The first of some reasons that holds. */
function firstOf(reasons: ReadonlyArray<readonly [boolean, string]>): string | undefined {
  return reasons.find(([holds]) => holds)?.[1];
}

function masksOf(...masks: ReadonlyArray<{ tensor: string | undefined; rule: DeclaredMask['rule'] }>): DeclaredMask[] {
  return masks.flatMap(({ tensor, rule }) => (tensor === undefined ? [] : [{ tensor, rule }]));
}

/**
 * Inputs: query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value. Keys and values with four axes are an encoder's, which
 * the operator takes as they are, whatever the bias holds for them.
 */
function multiHead(node: NodeProto, index: GraphIndex): Candidate {
  const [query = '', key = '', value = '', bias = ''] = node.input;
  const packedHeads = integerOf(node, 'num_heads', 1);
  const view = (tensor: string) => ({ tensor, packedHeads });
  const masks = masksOf({ tensor: present(node, 4), rule: 'keep' }, { tensor: present(node, 5), rule: 'additive' });
  const past = [node.input[6] ?? '', node.input[7] ?? ''] as const;
  const joins = handsOn(node) || past[0] !== '';
  const isPacked = key === '' || value === '';
  const isSplit = axesOf(index, key) === 4;
  const project = (graph: GraphBuilder): Projected => {
    const parts = { query, key, value };
    const shifted = isSplit ? { ...parts, query: shiftedQuery(graph, bias, query) } : shiftedBy(graph, bias, parts);
    return joins ? joinPast(graph, node, shifted, { heads: isSplit ? 0 : packedHeads, past }) : shifted;
  };
  const declared = {
    causal: integerOf(node, 'unidirectional', 0) === 1 && (past[0] === '' ? ('first' as const) : ('last' as const)),
    scale: scaleOf(node),
    masks,
    ...(!isPacked && (bias !== '' || joins) && { project }),
  };
  const refusal = firstOf([[isPacked, 'queries, keys and values are packed in one tensor']]);
  return fused(node, { query: view(query), key: view(key), value: view(value) }, declared, refusal);
}

/** Inputs: input, weights, bias, mask_index, past, attention_bias. Queries, keys and values are projected inside. */
function packedAttention(node: NodeProto): Candidate {
  const [input = '', weights = '', bias = ''] = node.input;
  const packedHeads = integerOf(node, 'num_heads', 1);
  const past = node.input[4] ?? '';
  const joins = handsOn(node) || past !== '';
  const sizes = attributeOf(node, 'qkv_hidden_sizes')?.ints.map(Number) ?? [];
  const isUnlike = new Set(sizes).size > 1;
  const project = (graph: GraphBuilder): Projected => {
    const product = graph.op('MatMul', [input, weights]);
    const shifted = bias === '' ? product : graph.op('Add', [product, bias]);
    const [query = '', key = '', value = ''] = isUnlike
      ? graph.ops('Split', [shifted, graph.int(sizes)], { axis: 2 }, 3)
      : thirds(graph, graph.op('Reshape', [shifted, graph.int([0, 0, 3, -1])]));
    return joins && !isUnlike ? joinStackedPast(graph, node, { query, key, value }, { heads: packedHeads, past }) : { query, key, value };
  };
  const masks = masksOf({ tensor: present(node, 3), rule: 'keep' }, { tensor: present(node, 5), rule: 'additive' });
  const declared = { causal: integerOf(node, 'unidirectional', 0) === 1 && ('last' as const), scale: scaleOf(node), masks, project };
  const refusal = firstOf([
    [integerOf(node, 'past_present_share_buffer', 0) === 1, 'its past and present share one buffer'],
    [integerOf(node, 'do_rotary', 0) === 1, 'the operator rotates queries and keys internally'],
    [isUnlike && joins, 'queries, keys and values have different sizes, and it joins keys and values in one tensor'],
  ]);
  const view = { tensor: input, packedHeads };
  return fused(node, { query: view, key: view, value: view }, declared, refusal);
}

/** Inputs: query, key, value, past_key, past_value, seqlens_k, total_sequence_length, cos_cache, sin_cache, position_ids, attention_bias, head_sink. */
function groupQuery(node: NodeProto): Candidate {
  const [query = '', key = '', value = ''] = node.input;
  const heads = integerOf(node, 'num_heads', 1);
  const kvHeads = integerOf(node, 'kv_num_heads', heads);
  const masks = masksOf({ tensor: present(node, 5), rule: 'last' }, { tensor: present(node, 10), rule: 'additive' });
  const prepares = handsOn(node) || key === '' || present(node, 3) !== undefined || integerOf(node, 'do_rotary', 0) === 1;
  const project = (graph: GraphBuilder) => groupQueryParts(graph, node);
  const size = integerOf(node, 'local_window_size', -1);
  const declared = {
    causal: integerOf(node, 'causal', 1) === 1 && ('last' as const),
    scale: scaleOf(node),
    softcap: softcapOf(node),
    masks,
    window: size > 0 ? { keys: size, ends: present(node, 3) && present(node, 5) } : undefined,
    ...(prepares && { project }),
  };
  const views = {
    query: { tensor: query, packedHeads: heads },
    key: { tensor: key, packedHeads: kvHeads },
    value: { tensor: value, packedHeads: kvHeads },
  };
  const refusal = firstOf([
    [integerOf(node, 'sliding_window_cache', 0) === 1, 'its cache holds only the newest keys (sliding_window_cache)'],
  ]);
  const sinks = sinksOf(node, 11);
  return { ...fused(node, views, declared, refusal), ...(sinks !== undefined && { sinks }) };
}

/**
 * One token behind buffers of keys and values, or over those of an encoder. Inputs: query, key, value, mask_index, attention_bias, past_key,
 * past_value, past_sequence_length, beam_width, cache_indirection, bias.
 */
function decoderMasked(node: NodeProto): Candidate {
  const [query = '', key = '', value = ''] = node.input;
  const heads = integerOf(node, 'num_heads', 1);
  const bias = present(node, 10) ?? '';
  const [isBuffered, isCounted] = [present(node, 5) !== undefined, present(node, 7) !== undefined];
  const isPacked = key === '' || value === '';
  const project = (graph: GraphBuilder): Projected =>
    isBuffered
      ? bufferedParts(graph, node, shiftedBy(graph, bias, { query, key, value }), heads)
      : // An encoder's keys and values are shifted already.
        { query: shiftedQuery(graph, bias, query), key, value };
  const declared = {
    causal: false as const,
    single: true as const,
    scale: scaleOf(node),
    masks: masksOf({ tensor: present(node, 3), rule: 'keep' }, { tensor: present(node, 4), rule: 'additive' }),
    ...(!isPacked && (isBuffered ? isCounted : bias !== '') && { project }),
  };
  const refusal = firstOf([
    [isPacked, 'queries, keys and values are packed in one tensor'],
    [present(node, 9) !== undefined, 'its keys are picked by beams (cache_indirection)'],
    [isBuffered && !isCounted, 'it does not say how many keys its past has (past_sequence_length)'],
  ]);
  return fused(node, { query: { tensor: query, packedHeads: heads }, key: { tensor: key }, value: { tensor: value } }, declared, refusal);
}

/** Opset 23. Inputs: Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen; three axes where the numbers of heads are given. */
function standardAttention(node: NodeProto): Candidate {
  const [query = '', key = '', value = ''] = node.input;
  const heads = attributeOf(node, 'q_num_heads');
  const kvHeads = integerOf(node, 'kv_num_heads', 0);
  const view = (tensor: string, count: number) => (heads === undefined ? { tensor } : { tensor, packedHeads: count });
  const masks = masksOf({ tensor: present(node, 3), rule: 'additive' }, { tensor: present(node, 6), rule: 'lengths' });
  const past = [node.input[4] ?? '', node.input[5] ?? ''] as const;
  const joins = handsOn(node) || past[0] !== '';
  const project = (graph: GraphBuilder) => joinPast(graph, node, { query, key, value }, { heads: kvHeads, past });
  const ends: Declared['causal'] = present(node, 6) === undefined ? 'first' : { counts: present(node, 6)! };
  const declared = {
    causal: integerOf(node, 'is_causal', 0) === 1 && (past[0] === '' ? ends : ('last' as const)),
    scale: scaleOf(node),
    softcap: softcapOf(node),
    masks,
    ...(joins && { project }),
  };
  const views = { query: view(query, Number(heads?.i ?? 0)), key: view(key, kvHeads), value: view(value, kvHeads) };
  return fused(node, views, declared);
}

/** Queries `[batch, n, heads·headDim]` with their part of a bias, which comes first; as they are where it is ''. */
function shiftedQuery(graph: GraphBuilder, bias: string, query: Value): Value {
  if (bias === '') return query;
  return graph.op('Add', [query, graph.op('Slice', [bias, graph.int([0]), graph.sizes(query, 2, 3)])]);
}

/** Queries, keys and values, `[batch, n, heads·width]` each, with their part of a bias; as they are where it is ''. Values may have another width. */
function shiftedBy(graph: GraphBuilder, bias: string, { query, key, value }: Parts): Parts {
  if (bias === '') return { query, key, value };
  const widths = [query, key, value].map((tensor) => graph.sizes(tensor, 2, 3));
  const parts = graph.ops('Split', [bias, graph.op('Concat', widths, { axis: 0 })], { axis: 0 }, 3);
  const shift = (tensor: Value, part: number) => graph.op('Add', [tensor, parts[part]!]);
  return { query: shift(query, 0), key: shift(key, 1), value: shift(value, 2) };
}

/** The three slices of axis 2, of size 3. */
function thirds(graph: GraphBuilder, tensor: Value): Value[] {
  return [0, 1, 2].map((third) => graph.op('Gather', [tensor, graph.int(third)], { axis: 2 }));
}
