import { caseOf } from './case-of.ts';
import type { ConformanceCase, Deviation } from './case-of.ts';
import type { CaseSet } from './case-sets.ts';
import { findVariant, parseVariant } from './index.ts';

/** The parameters that run over all lengths: small enough to select at most of them. What depends on the length is left to {@link caseOf}. */
const swept = [
  'dense',
  'topk:k=9',
  'window:w=17,globals=2',
  'grid-window:w=4,globals=1',
  'gated:sparsity=0.3',
  'gated:sparsity=0.4,block=16',
  'hierarchical:local=4,region=16,ratio=1:1:1',
  'block-topk:block=16,blocks=4',
  'linear',
  'linear:rule=gated',
  'linear:rule=delta',
  'linear:rule=gated-delta',
] as const;

const lengths = [1, 2, 7, 63, 64, 65, 511, 512, 513, 1000];
const directions = [{ causal: true }, { causal: false }];
const isByPosition = (text: string): boolean => !/^(dense|topk|linear$)|^gated(?!.*block)/.test(text);

/** Every length, causal and not, with an odd number of heads or key/value heads in between. */
function lengthCases(): ConformanceCase[] {
  return swept.flatMap((text) => {
    const heads = text.startsWith('hierarchical') ? 3 : 2;
    const everyday = lengths.flatMap((n) => directions.map((direction) => caseOf(text, { n, heads, ...direction })));
    const slow = [4095, 4096].map((n) => caseOf(text, { n, causal: n === 4095, heads: heads === 3 ? 3 : 1, slow: true }));
    return [...everyday, ...slow];
  });
}

/** Padding at the end, at the start, in holes and everywhere, over two batch elements and grouped queries. */
function paddingCases(): ConformanceCase[] {
  const masks = ['tail', 'left', 'holes', 'element'] as const;
  return swept.flatMap((text) =>
    masks.flatMap((mask) => directions.map((direction) => caseOf(text, { n: 77, batch: 2, heads: 6, kvHeads: 2, mask, ...direction }))),
  );
}

/** Queries fewer than keys, a single one among them; more where the variant has no positions; with padding too. */
function unequalCases(): ConformanceCase[] {
  return swept.flatMap((text) => {
    const pairs = [
      { queries: 1, n: 65 },
      { queries: 1, n: 1000 },
      { queries: 7, n: 64 },
      { queries: 33, n: 100 },
      ...(isByPosition(text) ? [] : [{ queries: 65, n: 7 }]),
    ];
    const plain = pairs.flatMap((pair) => directions.map((direction) => caseOf(text, { ...pair, heads: 3, ...direction })));
    const padded = directions.map((direction) => caseOf(text, { queries: 20, n: 77, batch: 2, heads: 3, mask: 'holes', ...direction }));
    return [...plain, ...padded];
  });
}

/** Grouped and multi-query heads, dimensions that are no power of two, another scale. */
function shapeCases(): ConformanceCase[] {
  const deviations: Deviation[] = [
    { n: 50, batch: 2, heads: 4, kvHeads: 2, causal: true },
    { n: 50, batch: 2, heads: 5, kvHeads: 1, causal: false },
    { n: 70, headDim: 24, causal: true },
    { n: 70, headDim: 10, causal: false },
    { n: 33, headDim: 1, causal: true },
    { n: 70, headDim: 8, heads: 3, causal: true, scale: 0.7 },
    { n: 70, headDim: 64, heads: 3, causal: false, scale: 0.05 },
  ];
  return swept.flatMap((text) => deviations.map((deviation) => caseOf(text, deviation)));
}

/** A bias on the logits, of variants that take one. */
function biasCases(): ConformanceCase[] {
  const deviations: Deviation[] = [
    { n: 1, bias: 'heads' },
    { n: 7, bias: 'elements', batch: 2, causal: true },
    { n: 513, bias: 'heads', causal: true },
    { n: 300, bias: 'keys', batch: 2 },
    { n: 300, bias: 'elements', batch: 2, heads: 4, kvHeads: 2, causal: true },
    { n: 77, bias: 'heads', batch: 2, heads: 6, kvHeads: 2, mask: 'left', causal: true },
    { n: 77, bias: 'elements', batch: 2, mask: 'holes' },
    { n: 100, queries: 33, bias: 'elements', batch: 2, causal: true },
    { n: 65, queries: 1, bias: 'heads', causal: true },
    { n: 70, bias: 'heads', headDim: 10, heads: 3 },
    { n: 1000, bias: 'heads', heads: 1, causal: true },
  ];
  return swept
    .filter((text) => findVariant(parseVariant(text).variant).takesBias === true)
    .flatMap((text) => deviations.map((deviation) => caseOf(text, deviation)));
}

/** Soft caps and attention sinks, of variants that take them; scales that bring many logits to the cap and far beyond. */
function cappedCases(): ConformanceCase[] {
  const shapes: Deviation[] = [
    { n: 1, causal: true },
    { n: 70, heads: 4, kvHeads: 2, causal: true },
    { n: 300, batch: 2, bias: 'heads', causal: true },
    { n: 77, batch: 2, heads: 6, kvHeads: 2, mask: 'left', causal: true },
    { n: 77, batch: 2, bias: 'elements', mask: 'holes' },
    { n: 100, queries: 33, causal: true },
    { n: 513 },
  ];
  const parts: Deviation[] = [
    { n: 0, softcap: 50 },
    { n: 0, softcap: 5, scale: 3 },
    { n: 0, sinks: true },
    { n: 0, softcap: 20, scale: 20, sinks: true },
  ];
  const deviations = shapes.flatMap((shape) => parts.map((part) => ({ ...part, ...shape })));
  return swept
    .filter((text) => findVariant(parseVariant(text).variant).takesSoftcap === true)
    .flatMap((text) => deviations.map((deviation) => caseOf(text, deviation)));
}

const inGrid = (list: string): string => `grid-window:${list}`;

/** Parameters at and beyond their edges. */
function parameterCases(): ConformanceCase[] {
  const texts = [
    ...['topk', 'topk:k=1', 'topk:k=500', 'topk:keep=0.1', 'topk:keep=0.3', 'topk:keep=1'],
    ...['window', 'window:w=1', 'window:w=2', 'window:w=16', 'window:w=500', 'window:w=8,globals=1', 'window:w=8,globals=200'],
    ...['grid=10x10,w=3', 'grid=10x10,w=1', 'grid=10x10,w=2x9', 'grid=10x10,w=10', 'grid=1x100,w=9', 'grid=1x1,globals=99'].map(inGrid),
    ...['grid=4x5x5,w=3x5x2', 'grid=4x5x5,w=2x3x3,time=past', 'grid=4x5x5,w=4,time=past', 'grid=8x12,w=5,globals=4'].map(inGrid),
    ...['gated', 'gated:form=log', 'gated:sparsity=0.9', 'gated:sparsity=0.3,form=log', 'gated:tau=0.5', 'gated:tau=0.97,form=log'],
    ...[
      'gated:block=16',
      'gated:block=200,sparsity=0.5',
      'gated:tau=0.5,block=8',
      'gated:tau=0.97,block=8',
      'gated:block=8,form=log,sparsity=0.3',
    ],
    ...['query', 'output'].flatMap((form) => ['', ',sparsity=0.41', ',tau=0.5'].map((rest) => `gated:form=${form}${rest}`)),
    ...[
      'hierarchical',
      'hierarchical:ratio=1:1:1',
      'hierarchical:ratio=0:1:0',
      'hierarchical:ratio=0:0:1,region=8',
      'hierarchical:ratio=1:0:3',
    ],
    ...['hierarchical:local=1,region=1', 'hierarchical:local=16,region=16,ratio=1:1:1', 'hierarchical:local=3,region=21,ratio=1:2:1'],
    ...['hierarchical:local=200,region=400,ratio=1:1:1', 'block-topk', 'block-topk:block=8,blocks=2', 'block-topk:block=8,blocks=100'],
    ...['block-topk:block=1,blocks=6', 'block-topk:block=7,blocks=3'],
    ...['linear:map=relu', 'linear:map=identity', 'linear:norm=none', 'linear:rule=delta,beta=0.5', 'linear:rule=delta,map=elu'],
    ...['decay=1', 'decay=0.5', 'decay=0.01', 'map=relu,decay=0.9', 'norm=none,decay=0.9'].map((list) => `linear:rule=gated,${list}`),
    ...['decay=1', 'decay=0.5', 'decay=0.01,beta=0.5', 'map=relu,decay=0.9'].map((list) => `linear:rule=gated-delta,${list}`),
  ];
  const plain = texts.flatMap((text) => directions.map((direction) => caseOf(text, { n: 100, heads: 4, kvHeads: 2, ...direction })));
  const fewHeads = ['hierarchical', 'hierarchical:ratio=1:1:1'].flatMap((text) =>
    [1, 2].map((heads) => caseOf(text, { n: 100, heads, causal: true })),
  );
  const ranks = directions.map((direction) => caseOf('gated:rank=3,sparsity=0.3', { n: 40, gateRank: 3, ...direction }));
  return [...plain, ...fewHeads, ...ranks];
}

/** Gates of queries, over several tiles, padded, with grouped heads, and with fewer or more queries than keys. */
function queryGateCases(): ConformanceCase[] {
  const texts = [
    'gated:form=query,sparsity=0.3',
    'gated:form=output,sparsity=0.3',
    'gated:form=query,tau=0.4',
    'gated:form=output,tau=0.4',
  ];
  const shapes: Deviation[] = [
    { n: 1 },
    { n: 77, batch: 2, heads: 6, kvHeads: 2, mask: 'left' },
    { n: 77, batch: 2, mask: 'element' },
    { n: 100, queries: 33 },
    { n: 33, queries: 100 },
    { n: 513, heads: 1 },
  ];
  const deviations = shapes.flatMap((shape) => directions.map((direction) => ({ ...shape, ...direction })));
  return texts.flatMap((text) => deviations.map((deviation) => caseOf(text, deviation)));
}

/** Equal keys, which the delta rules write to again and again, and queries read in sum. */
function equalKeyCases(): ConformanceCase[] {
  const texts = ['linear', 'linear:rule=gated', 'linear:rule=delta', 'linear:rule=gated-delta', 'linear:rule=delta,beta=0.3'];
  return texts.flatMap((text) => [1, 3].map((keyPeriod) => caseOf(text, { n: 100, keyPeriod, causal: true })));
}

/** Whole-numbered inputs: equal logits and equal block scores, where the lower key or block must win. */
function tieCases(): ConformanceCase[] {
  const long = directions.map((direction) => caseOf('topk:k=5', { n: 600, heads: 1, values: 'integer', keyPeriod: 8, ...direction }));
  const texts = [
    ...[
      'topk:k=5',
      'topk:keep=0.2',
      'gated:sparsity=0.5',
      'gated:tau=0.5',
      'gated:sparsity=0.5,block=8',
      'gated:form=query,sparsity=0.5',
      'block-topk:block=8,blocks=3',
    ],
    ...['dense', 'window:w=9', 'grid-window:grid=8x8,w=3', 'hierarchical:local=4,region=8,ratio=1:1:1', 'linear', 'linear:rule=delta'],
  ];
  const short = texts.flatMap((text) =>
    directions.flatMap((direction) => [
      caseOf(text, { n: 64, heads: 3, values: 'integer', ...direction }),
      caseOf(text, { n: 64, heads: 3, values: 'integer', keyPeriod: 8, ...direction }),
    ]),
  );
  return [...short, ...long];
}

/** The cases that every kernel of every adapter is judged on, each by its variant; a delta rule has none that is not causal. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...lengthCases(),
  ...paddingCases(),
  ...unequalCases(),
  ...shapeCases(),
  ...biasCases(),
  ...cappedCases(),
  ...parameterCases(),
  ...queryGateCases(),
  ...equalKeyCases(),
  ...tieCases(),
].filter(({ variant, parameters, shape }) => findVariant(variant).refuses(parameters, shape) === undefined);

/** Cases of one variant, ties aside, on a device that is emulated and compiles for seconds a shape. */
const mostFew = 30;

export function casesOf(set: CaseSet): readonly ConformanceCase[] {
  if (set === 'all') return conformanceCases;
  const everyday = conformanceCases.filter(({ slow }) => slow !== true);
  if (set === 'everyday') return everyday;
  const pairs = ({ shape }: ConformanceCase) => shape.queries * shape.keys;
  if (set === 'quick') return everyday.filter((given) => pairs(given) <= 20_000);
  const few = everyday.filter((given) => pairs(given) <= 2500 || (given.keyPeriod !== undefined && given.shape.causal));
  return [...Map.groupBy(few, ({ variant }) => variant).values()].flatMap((cases) => {
    const step = Math.ceil(cases.length / mostFew);
    return cases.filter(({ keyPeriod }, at) => at % step === 0 || keyPeriod !== undefined);
  });
}
