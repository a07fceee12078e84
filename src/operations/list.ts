import { gateMetrics } from '../contract/suite.ts';
import { builtInSuites, builtInTunings } from '../loading/built-in.ts';
import { loadDefinition } from '../loading/definition.ts';
import { variants } from '../variants/index.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export type ListOptions = Pick<OperationOptions, 'adapters'>;

export interface Described {
  readonly name: string;
  readonly description: string;
}

/** A variant with its parameters, as `w (256)` where there is a default, and the kernels that some backend has of it. */
export interface ListedVariant extends Described {
  readonly parameters: readonly string[];
  readonly kernels: readonly string[];
}

/** What can be named: in suites, and on the command line. */
export interface ListRecord {
  readonly suites: readonly Described[];
  readonly tunings: readonly Described[];
  readonly variants: readonly ListedVariant[];
  readonly backends: readonly string[];
  readonly metrics: readonly string[];
}

/** Lists the built-in suites and testbeds, variants, backends and metrics. */
export async function list(options: ListOptions = {}): Promise<ListRecord> {
  const entries = adaptersOf(options);
  const adapters = await Promise.all(entries.map(({ load }) => load()));
  const kernelsOf = (name: string) => {
    const known = adapters.flatMap(({ kernels }) => kernels).filter(({ variant }) => variant === name);
    return [...new Set(known.map(({ kernel }) => kernel))];
  };
  return {
    suites: await describe(builtInSuites),
    tunings: await describe(builtInTunings),
    variants: variants.map(({ name, summary, parameters }) => ({
      name,
      description: summary,
      parameters: Object.entries(parameters.defaults).map(([parameter, value]) =>
        value === undefined ? parameter : `${parameter} (${value})`,
      ),
      kernels: kernelsOf(name),
    })),
    backends: entries.flatMap(({ backends }) => backends),
    metrics: gateMetrics,
  };
}

async function describe(names: readonly string[]): Promise<Described[]> {
  const found: Described[] = [];
  for (const name of names) {
    const { description } = (await loadDefinition(name, names)).definition as { readonly description?: string };
    found.push({ name, description: description ?? '' });
  }
  return found;
}
