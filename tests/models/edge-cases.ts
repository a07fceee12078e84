import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import type { ModelProto } from 'onnx-buf';
import type { Tensors } from '../../src/contract/tensor.ts';
import type { Site } from '../../src/model/sites/site.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { architecture, expectedSites, size } from './architecture.ts';
import type { ExpectedSite } from './architecture.ts';
import { inBranches, inLoop, inScan } from './bodies.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { valueInfo } from './protos.ts';
import { buildRounded } from './rounded-attention.ts';
import { drawStates } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { additiveMask, mergeHeads } from './torch-shapes.ts';
import * as bert from './torchscript-bert.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import * as twoMasks from './two-masks.ts';
import { buildWidths, headsOf } from './value-widths.ts';
import type { Widths } from './value-widths.ts';

/** What a finder must report of a site: null for what it cannot tell. */
export type EdgeSite = Pick<Site, keyof ExpectedSite>;

/** A model at the edge of what can be swapped, or of what can be fed. */
export interface EdgeModel {
  build(): Uint8Array;
  feeds(at: FeedRequest): Tensors;
  readonly sites: readonly EdgeSite[];
  /** Part of the first site's reason. */
  readonly reason?: RegExp;
  /** Kernels of dense attention that decline its sites. */
  readonly declinedBy?: readonly string[];
  /** What can be fed, where not everything. */
  readonly only?: Partial<Pick<FeedRequest, 'batch' | 'length'>>;
}

const bertSites = expectedSites(bert.design).sites;

/** Of the models with attention in bodies. */
/** Of a site that no run shows. */
const unreadSite: EdgeSite = { heads: null, kvHeads: null, headDim: null, mask: null, causal: null, swappable: false };
const bodySite: EdgeSite = { heads: 1, kvHeads: 1, headDim: size.hidden, mask: 'none', causal: false, swappable: true };

function changed(bytes: Uint8Array, change: (proto: ModelProto) => void): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes);
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

/** Gives dynamic sizes their numbers; what has no number stays dynamic. */
function fixed(bytes: Uint8Array, sizes: Readonly<Record<string, number>>): Uint8Array {
  return changed(bytes, ({ graph }) => {
    for (const { type } of [...graph!.input, ...graph!.output]) {
      for (const dimension of type?.value.case === 'tensorType' ? (type.value.value.shape?.dim ?? []) : []) {
        const known = dimension.value.case === 'dimParam' ? sizes[dimension.value.value] : undefined;
        if (known !== undefined) dimension.value = { case: 'dimValue', value: BigInt(known) };
      }
    }
  });
}

/** BERT as older exporters leave it: what is dynamic has no name. */
function unnamedSizes(): Uint8Array {
  return changed(bert.build(), ({ graph }) => {
    for (const { type } of [...graph!.input, ...graph!.output])
      for (const dimension of type?.value.case === 'tensorType' ? (type.value.value.shape?.dim ?? []) : [])
        if (dimension.value.case === 'dimParam') dimension.value = { case: undefined };
  });
}

/** BERT that also gives the first layer's attention weights. */
function exposedWeights(): Uint8Array {
  return changed(bert.build(), ({ graph }) => {
    const softmax = graph!.node.find(({ opType }) => opType === 'Softmax')!;
    graph!.output.push(valueInfo(softmax.output[0]!, 'f32', ['batch', size.heads, 'sequence', 'sequence']));
  });
}

/** BERT with logits capped at ±50, as Gemma has them: small ones pass nearly unchanged. */
function softCapped(): Uint8Array {
  const attend = (g: GraphWriter, place: AttentionPlace<Value>): Value => {
    const { query, key, value } = bert.projectHeads(g, place);
    const logits = g.op('Div', [g.op('MatMul', [query, key]), g.float(Math.sqrt(size.headDim))]);
    const capped = g.op('Mul', [g.op('Tanh', [g.op('Div', [logits, g.float(50)])]), g.float(50)]);
    const weights = g.op('Softmax', [g.op('Add', [capped, place.shared])], { axis: -1 });
    return linear(g, mergeHeads(g, g.op('MatMul', [weights, value])), place.weights.output);
  };
  return buildTransformer({ exporter: torchScript(14), architecture: bert.design, prepare: bert.declareMask, attend }, 0);
}

/** Attention of unlike widths, or of values in columns. */
const widthModels: Readonly<Record<string, Widths>> = {
  'values wider than keys': { keys: 8, values: 16, form: 'rows' },
  'values narrower than keys': { keys: 12, values: 8, form: 'rows' },
  'values in columns': { keys: 8, values: 8, form: 'columns' },
  'wider values in columns': { keys: 8, values: 16, form: 'columns' },
  'narrower values in columns, multiplied by ONNX Runtime’s operator': { keys: 12, values: 8, form: 'fused' },
  'wider values in columns of one head': { keys: 4, values: 32, form: 'one head' },
  'MultiHeadAttention with wider values': { keys: 8, values: 16, form: 'MultiHeadAttention' },
  'MultiHeadAttention with narrower values': { keys: 12, values: 8, form: 'MultiHeadAttention' },
  'MultiHeadAttention with a bias and wider values': { keys: 8, values: 16, form: 'MultiHeadAttention', bias: true },
  'MultiHeadAttention with a bias and narrower values': { keys: 12, values: 8, form: 'MultiHeadAttention', bias: true },
  'a packed projection with wider values': { keys: 8, values: 16, form: 'packed' },
  'a packed projection with narrower values': { keys: 12, values: 8, form: 'packed' },
  'Attention with wider values': { keys: 8, values: 16, form: 'Attention' },
  'Attention with narrower values': { keys: 12, values: 8, form: 'Attention' },
};

/** BERT whose mask says what is padding. */
function negatedMask(): Uint8Array {
  const prepare = (g: GraphWriter): Value => {
    const dropped = g.input('padding_mask', 'i64', ['batch', 'sequence']);
    return additiveMask(g, g.op('Sub', [g.int(1), dropped]));
  };
  return buildTransformer({ exporter: torchScript(14), architecture: architecture(), prepare, attend: bert.attend }, 0);
}

const states = (at: FeedRequest): Tensors => ({ x: drawStates({ ...at, padded: false }) });

function widthModel(widths: Widths): EdgeModel {
  const heads = headsOf(widths);
  const headDim = Math.max(widths.keys, widths.values);
  const site = { heads, kvHeads: heads, headDim, mask: 'none', causal: false, swappable: true } as const;
  return { build: () => buildWidths(widths), feeds: states, sites: [site] };
}

/** All of them by name. */
export const edgeModels: Readonly<Record<string, EdgeModel>> = {
  'exposed weights': {
    build: exposedWeights,
    feeds: bert.feeds,
    sites: [{ ...bertSites[0]!, swappable: false }, bertSites[1]!],
    reason: /weights are also used elsewhere/,
  },
  'soft-capped logits': { build: softCapped, feeds: bert.feeds, sites: bertSites, declinedBy: ['dense.fused', 'dense.mha'] },
  'quantizers that change the scale': {
    build: () => buildRounded({ shrinks: 2 }),
    feeds: bert.feeds,
    sites: bertSites.map((site) => ({ ...site, mask: null, causal: null, swappable: false })),
    reason: /its logits pass a quantizer that cannot be removed: QuantizeLinear/,
  },
  ...Object.fromEntries(Object.entries(widthModels).map(([name, widths]) => [name, widthModel(widths)])),
  'fixed sizes': {
    build: () => fixed(bert.build(), { batch: 2, sequence: 9 }),
    feeds: bert.feeds,
    sites: bertSites,
    only: { batch: 2, length: 9 },
  },
  'batch fixed at 1': { build: () => fixed(bert.build(), { batch: 1 }), feeds: bert.feeds, sites: bertSites, only: { batch: 1 } },
  'sizes without names': { build: unnamedSizes, feeds: bert.feeds, sites: bertSites },
  'a mask that is 1 where padded': {
    build: negatedMask,
    feeds: (at) => {
      const { input_ids, attention_mask } = bert.feeds(at);
      const data = BigInt64Array.from(attention_mask!.data as BigInt64Array, (kept) => 1n - kept);
      return { input_ids: input_ids!, padding_mask: { ...attention_mask!, data } };
    },
    sites: bertSites,
  },
  'two masks': twoMasks,
  'attention in both branches of an If': {
    build: () => inBranches(),
    feeds: (at) => ({ ...states(at), choice: tensorOf('bool', [1], [at.batch > 1 ? 1 : 0]) }),
    sites: [bodySite, bodySite],
  },
  'attention in a branch that is never taken': {
    build: () => inBranches({ choice: 'always the first' }),
    feeds: states,
    sites: [bodySite, { ...bodySite, swappable: false }],
  },
  'attention in a Loop': {
    build: () => inLoop(),
    feeds: states,
    sites: [unreadSite],
    reason: /^it is inside the body of Loop repeat$/,
  },
  'attention in a Scan': {
    build: inScan,
    feeds: states,
    sites: [unreadSite],
    reason: /^it is inside the body of Scan sweep$/,
  },
  'attention in a Loop in a branch': {
    build: () => inBranches({ looped: true }),
    feeds: states,
    sites: [unreadSite, unreadSite],
    reason: /^it is inside the body of Loop repeat$/,
  },
};
