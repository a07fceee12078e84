import type { Adapter, AdapterEntry, KernelDescription } from '../contract/adapter.ts';
import type { CellSpec } from '../contract/cell.ts';
import { AttnswapError } from '../contract/errors.ts';
import { batchOf, formatRequests, readRequests } from '../contract/requests.ts';
import type { Shape } from '../contract/shape.ts';
import type { Selection, Suite } from '../contract/suite.ts';
import { findAdapter } from '../loading/adapter.ts';
import { formatVariant, parseVariant } from '../variants/index.ts';
import type { CellPlan } from './measure-cell.ts';

/**
 * The cells that a suite declares, in the order of its matrix, each with the adapter and kernel that will run it. Where the matrix says `*`,
 * what a backend of this machine has no kernel or element type for is left out, not refused.
 * @throws UNKNOWN_VARIANT, INVALID_PARAMETERS, UNKNOWN_BACKEND, UNKNOWN_KERNEL, INVALID_SUITE where nothing is left
 */
export async function planCells(suite: Suite, adapters: readonly AdapterEntry[]): Promise<CellPlan[]> {
  const plans = new Map<string, CellPlan>();
  const found = suite.matrix.backends.includes(everyBackend) ? await backendsHere(adapters) : [];
  for (const point of points(
    suite,
    found.map(({ name }) => name),
  )) {
    const entry = findAdapter(adapters, point.backend);
    const adapter = await entry.load();
    const here = suite.matrix.backends.includes(point.backend) ? undefined : found.find(({ name }) => name === point.backend);
    if (here !== undefined && !(here.dtypes.includes(point.shape.dtype) && hasKernel(adapter, point, here.lacking))) continue;
    const plan = planOf(point, entry, kernelOf(adapter, point.text, { backend: point.backend, ...here }));
    if (!plans.has(plan.cell.id)) plans.set(plan.cell.id, plan);
  }
  if (plans.size > 0) return [...plans.values()];
  throw new AttnswapError('INVALID_SUITE', `${suite.name}: no cells are left after the exclusions`, {
    hint: 'remove an exclusion or extend the matrix',
  });
}

/** In a matrix: every backend that runs on this machine. */
const everyBackend = '*';

async function backendsHere(adapters: readonly AdapterEntry[]) {
  const found: Array<{ readonly name: string; readonly dtypes: readonly string[]; readonly lacking: Lacking }> = [];
  for (const entry of adapters) {
    const adapter = await entry.load();
    for (const name of adapter.backends) {
      const status = await adapter.status(name);
      if (status.available) found.push({ name, dtypes: status.dtypes, lacking: status.lacking ?? {} });
    }
  }
  return found;
}

/** The backends whose status a run of the suite records: with `*` all, so that what is missing is told with its reason. */
export function recordedBackends({ matrix }: Suite, adapters: readonly AdapterEntry[]): readonly string[] {
  return matrix.backends.includes(everyBackend) ? adapters.flatMap(({ backends }) => backends) : matrix.backends;
}

function planOf(point: Point, entry: AdapterEntry, kernel: Adapter['kernels'][number]): CellPlan {
  const spec = parseVariant(point.text);
  const variant = { name: spec.variant, params: spec.parameters };
  const text = formatVariant({ ...spec, kernel: kernel.kernel });
  const { backend, inputs, seed, shape, requests, pass } = point;
  const backward = pass === 'forward+backward';
  const padded = requests?.includes('_') === true;
  const id = [text, backend, describeShape(shape), ...(padded ? [requests] : []), ...(backward ? [pass] : []), inputs, `seed${seed}`].join(
    ' ',
  );
  const drawn = { inputs, seed };
  const cell: CellSpec = {
    id,
    variant,
    kernel: kernel.kernel,
    backend,
    shape,
    ...(padded && { requests }),
    ...(backward && { pass }),
    ...drawn,
  };
  return { cell, entry, kernel };
}

interface Point {
  readonly text: string;
  readonly backend: string;
  readonly inputs: string;
  readonly seed: number;
  readonly shape: Shape;
  /** As `shapes` has them. */
  readonly requests: string;
  readonly pass: 'forward' | 'forward+backward';
}

function points({ matrix, exclude }: Suite, here: readonly string[]): Point[] {
  const backends = new Set(matrix.backends.flatMap((name) => (name === everyBackend ? here : name)));
  const all: Point[] = [];
  const batches = [
    ...matrix.lengths.map((length) => formatRequests([{ count: matrix.batch, queries: length, keys: length }])),
    ...matrix.shapes,
  ];
  for (const backend of backends)
    for (const dtype of matrix.dtypes)
      for (const pass of matrix.passes)
        for (const causal of matrix.causal)
          for (const inputs of matrix.inputs)
            for (const requests of batches)
              for (const text of matrix.variants) {
                const { heads, headDim, seed } = matrix;
                const shape = { heads, kvHeads: matrix.kvHeads ?? heads, headDim, causal, dtype, ...batchOf(readRequests(requests)!) };
                all.push({ text, backend, inputs, seed, shape, requests, pass });
              }
  return all.filter((point) => !exclude.some((selection) => matches(selection, factsOf(point, point.text))));
}

/** What a selection may ask for. */
function factsOf({ backend, inputs, shape, requests, pass }: Omit<Point, 'text' | 'seed'>, variant: string | undefined) {
  const { keys, causal, dtype } = shape;
  return { variant, backend, length: keys, shape: requests, inputs, causal, dtype, pass };
}

/** A cell's batch as `shapes` has it. */
function requestsOf({ requests, shape }: CellSpec): string {
  return requests ?? formatRequests([{ count: shape.batch, queries: shape.queries, keys: shape.keys }]);
}

/** Whether every field of a selection has the value that it has in `facts`. */
function matches(selection: Selection, facts: Readonly<Record<keyof Selection, unknown>>): boolean {
  return Object.entries(selection).every(([key, value]) => facts[key as keyof Selection] === value);
}

/** Whether a planned cell is among those that a selection means; its variant may leave out the kernel. */
export function selects(selection: Selection, { cell }: CellPlan): boolean {
  const { variant, ...rest } = selection;
  if (!matches(rest, factsOf({ ...cell, pass: cell.pass ?? 'forward', requests: requestsOf(cell) }, variant))) return false;
  if (variant === undefined) return true;
  const spec = parseVariant(variant);
  const named = { variant: cell.variant.name, parameters: cell.variant.params };
  return spec.kernel === undefined
    ? formatVariant(spec) === formatVariant(named)
    : formatVariant(spec) === formatVariant({ ...named, kernel: cell.kernel });
}

/** `b1 h8/8 q512 k512 d64 causal f32`: batch, heads/kvHeads, queries, keys, head dimension. */
function describeShape(shape: Shape): string {
  const { batch, heads, kvHeads, queries, keys, headDim, causal, dtype } = shape;
  return `b${batch} h${heads}/${kvHeads} q${queries} k${keys} d${headDim} ${causal ? 'causal' : 'full'} ${dtype}`;
}

/** Kernels, as `dense.fused`, that a runtime lacks. */
type Lacking = Readonly<Record<string, string>>;

/** The kernel that a variant's text names, or its default: the first that the backend, where named, has. @throws UNKNOWN_KERNEL */
export function kernelOf(
  adapter: Adapter,
  text: string,
  { backend, lacking = {} }: { readonly backend?: string; readonly lacking?: Lacking } = {},
): Adapter['kernels'][number] {
  const spec = parseVariant(text);
  const ofVariant = adapter.kernels.filter(({ variant }) => variant === spec.variant);
  const isThere = (kernel: KernelDescription) => backend === undefined || isServed(kernel, backend, lacking);
  const found =
    spec.kernel === undefined ? (ofVariant.find(isThere) ?? ofVariant[0]) : ofVariant.find(({ kernel }) => kernel === spec.kernel);
  if (found !== undefined) return found;
  const names = ofVariant.map(({ variant, kernel }) => `${variant}.${kernel}`).join(', ');
  throw new AttnswapError(
    'UNKNOWN_KERNEL',
    `${adapter.name} has no kernel ${spec.variant}.${spec.kernel ?? '(any)'}, expected one of ${names || 'none'}`,
  );
}

function isServed({ variant, kernel, lacking }: KernelDescription, backend: string, here: Lacking): boolean {
  return lacking?.[backend] === undefined && here[`${variant}.${kernel}`] === undefined;
}

function hasKernel({ kernels }: Adapter, { text, backend }: Point, lacking: Lacking): boolean {
  const spec = parseVariant(text);
  const isMeant = ({ variant, kernel }: KernelDescription) => variant === spec.variant && (spec.kernel ?? kernel) === kernel;
  return kernels.some((kernel) => isMeant(kernel) && isServed(kernel, backend, lacking));
}

/** The kernel of a cell as a user writes it: `window.tiled:w=128`. */
export function kernelName({ cell: { variant, kernel } }: Pick<CellPlan, 'cell'>): string {
  return formatVariant({ variant: variant.name, kernel, parameters: variant.params });
}

/** Whether two cells differ in variant and kernel at most: what a ratio may be taken of. */
export function sameSetting(a: Pick<CellPlan, 'cell'>, b: Pick<CellPlan, 'cell'>): boolean {
  return settingKey(a.cell) === settingKey(b.cell);
}

/** The same for cells that differ in variant and kernel at most. */
export function settingKey({ backend, shape, requests, pass, inputs, seed }: CellSpec): string {
  return JSON.stringify([backend, shape, requests, pass, inputs, seed]);
}

/** What cells share that are alike but for their length. */
export function withoutLength({ variant, kernel, backend, shape, requests, pass, inputs, seed }: CellSpec): string {
  const queries = shape.queries === shape.keys ? 0 : shape.queries;
  return JSON.stringify([variant, kernel, backend, { ...shape, queries, keys: 0 }, requests, pass, inputs, seed]);
}
