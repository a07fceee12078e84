import { callableBackends, callableEntry } from '../../adapters/callable.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Knob, Parameters } from '../contract/variant.ts';
import { armOf } from '../measure/arm.ts';
import { kernelName } from '../measure/plan-cells.ts';
import { findVariant, formatVariant, parseVariant } from '../variants/index.ts';
import { planCell } from './ab.ts';
import type { AuditOptions, AuditSubject } from './audit-subject.ts';
import { defaults } from './defaults.ts';

/** A kernel by its name, on a backend that some adapter has. @throws UNKNOWN_VARIANT, UNKNOWN_KERNEL, UNKNOWN_BACKEND, INVALID_PARAMETERS */
export async function kernelSubject(options: AuditOptions, adapters: readonly AdapterEntry[]): Promise<AuditSubject> {
  const { kernel: text = 'window', backend = defaults.backend, threads = defaults.auditThreads } = options;
  const spec = parseVariant(text);
  const variant = findVariant(spec.variant);
  if (variant.tokens !== undefined)
    throw new AttnswapError(
      'USAGE',
      `${text} is defined for ${variant.tokens(spec.parameters)} tokens alone, and an audit varies the length`,
      {
        hint: '"scored" in bench shows how many products it computes',
      },
    );
  const knob = variant.knob?.(spec.parameters);
  const at = async (value: number | null, length: number) => {
    const parameters = knob === undefined || value === null ? spec.parameters : { ...spec.parameters, [knob.parameter]: value };
    return planCell(formatVariant({ ...spec, parameters }), { ...options, length }, backend, adapters);
  };
  const first = await at(null, options.length ?? defaults.auditLength);
  const { batch, heads, headDim, causal, dtype } = first.cell.shape;
  return {
    kind: 'kernel',
    name: kernelName(first),
    backend,
    adapters,
    setting: `${batch === 1 ? '' : `batch ${batch} · `}${heads} heads × ${headDim} · ${causal ? 'causal' : 'full'} · ${dtype} · ${first.cell.inputs}`,
    knob: knob === undefined ? null : { ...knob, value: valueOf(knob, spec.parameters) },
    async armAt(value, length) {
      const plan = await at(value, length);
      const { shape, variant: settled } = plan.cell;
      return {
        arm: armOf(plan, undefined, threads),
        neededWork: variant.cost(settled.params, shape).flops,
        fullWork: findVariant('dense').cost({}, shape).flops,
      };
    },
  };
}

/** The knob as it is given, or its default. */
function valueOf({ parameter }: Knob, parameters: Parameters): number {
  return Number(parameters[parameter]);
}

/** Names under which functions take a variant's knob, beside the parameter's own. */
const usualKeywords: Readonly<Record<string, readonly string[]>> = {
  window: ['window', 'window_size', 'sliding_window', 'local_window_size'],
  topk: ['top_k', 'topk'],
};

/** A Python function, taken for a kernel of the variant that it claims to be. @throws USAGE where it cannot be loaded, with Python's words */
export async function callableSubject(options: AuditOptions, target: string): Promise<AuditSubject> {
  const {
    kernel: claimed = 'window',
    keyword,
    arrays = defaults.arrays[0],
    backend = callableBackends[0],
    threads = defaults.auditThreads,
  } = options;
  if (!/^[\w.]+:[\w.]+$/.test(target))
    throw new AttnswapError('USAGE', `--callable ${JSON.stringify(target)}: expected package.module:function`, {
      hint: "attnswap audit --callable 'my_package.attention:windowed'",
    });
  const { variant, parameters } = parseVariant(claimed);
  const knob = findVariant(variant).knob?.(parameters);
  if (knob === undefined)
    throw new AttnswapError('USAGE', `${claimed} has no parameter that controls how much is attended to`, {
      hint: 'claim window, topk, block-topk or gated',
    });
  const keywords = keyword === undefined ? [...(usualKeywords[variant] ?? []), knob.parameter] : [keyword];
  const entry = callableEntry({ target, variant, parameter: knob.parameter, keywords, arrays, threads, cwd: process.cwd() });
  const status = await (await entry.load()).status(backend);
  if (!status.available) throw new AttnswapError('USAGE', `${target}: ${status.reason}`, { hint: status.mend });
  const subject = await kernelSubject({ ...options, kernel: claimed, backend }, [entry]);
  return { ...subject, kind: 'callable', name: `${target} as ${formatVariant({ variant, parameters })}` };
}
