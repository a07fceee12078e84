import { AttnswapError } from '../../contract/errors.ts';
import type { Parameters } from '../../contract/variant.ts';
import { nearestName } from '../../variants/nearest-name.ts';
import type { Task } from '../task.ts';
import { clips } from './clips.ts';
import { digits } from './digits.ts';
import { fuse } from './fuse.ts';
import { hops } from './hops.ts';
import { induction } from './induction.ts';
import { mlm } from './mlm.ts';
import { prose } from './prose.ts';
import { recall } from './recall.ts';
import { translate } from './translate.ts';

/** A task family: how a task is made of parameters, and parameters that have a name. */
interface TaskFamily {
  readonly make: (parameters: never) => Task;
  /** `quick` trains in minutes on a CPU, `full` is for a GPU. */
  readonly presets: { readonly quick: Parameters; readonly full: Parameters };
}

/** Ties a family's presets to the parameters that it takes. */
function family<Given extends Parameters>(make: (given: Given) => Task, presets: { quick: Given; full: Given }): TaskFamily {
  return { make, presets };
}

export const taskFamilies: Readonly<Record<string, TaskFamily>> = {
  recall: family(recall, {
    quick: { pairs: 8, length: 64, keys: 32, values: 32 },
    full: { pairs: 16, length: 512, keys: 64, values: 64 },
  }),
  induction: family(induction, {
    quick: { symbols: 16, copy: 8, gap: 40, length: 64 },
    full: { symbols: 32, copy: 32, gap: 300, length: 512 },
  }),
  hops: family(hops, {
    quick: { nodes: 16, values: 4, hops: 8, questions: 8, length: 1024, train: 24 },
    full: { nodes: 32, values: 8, hops: 16, questions: 8, length: 4096, train: 40 },
  }),
  prose: family(prose, { quick: { length: 128 }, full: { length: 512 } }),
  mlm: family(mlm, { quick: { length: 64 }, full: { length: 512 } }),
  digits: family(digits, { quick: { side: 14 }, full: { side: 28 } }),
  clips: family(clips, { quick: { frames: 5, rest: 3, side: 14 }, full: { frames: 8, rest: 5, side: 28 } }),
  translate: family(translate, { quick: { objects: 4, digits: 3 }, full: { objects: 16, digits: 6 } }),
  fuse: family(fuse, {
    quick: { side: 4, colors: 8, patterns: 16, questions: 16, streams: 2 },
    full: { side: 8, colors: 16, patterns: 64, questions: 32, streams: 2 },
  }),
};

const hint = 'write tasks as name[.quick|.full][:key=value,…], such as recall:pairs=8,length=128';

/**
 * A task as a user writes it: `name[.preset][:key=value,…]`. What is not given comes from the preset, `quick` where none is named.
 * @throws INVALID_PARAMETERS
 */
export function taskOf(text: string): Task {
  const match = /^(?<name>[a-z]+)(?:\.(?<preset>[a-z]+))?(?::(?<list>.*))?$/.exec(text.trim());
  if (match === null) throw new AttnswapError('INVALID_PARAMETERS', `task: got ${JSON.stringify(text.slice(0, 100))}`, { hint });
  const { name = '', preset = 'quick', list } = match.groups as { name?: string; preset?: string; list?: string };
  const { make, presets } = findFamily(name);
  if (preset !== 'quick' && preset !== 'full')
    throw new AttnswapError('INVALID_PARAMETERS', `task ${name}: unknown preset ${JSON.stringify(preset)}, expected quick or full`, {
      hint,
    });
  return make({ ...presets[preset], ...(list === undefined ? {} : readList(name, list)) } as never);
}

function findFamily(name: string): TaskFamily {
  if (Object.hasOwn(taskFamilies, name)) return taskFamilies[name]!;
  const names = Object.keys(taskFamilies);
  const near = nearestName(name, names);
  throw new AttnswapError('INVALID_PARAMETERS', `unknown task ${JSON.stringify(name)}, expected one of ${names.join(', ')}`, {
    hint: near === undefined ? hint : `did you mean ${near}?`,
  });
}

function readList(name: string, list: string): Parameters {
  const entries = list.split(',').map((part): [string, number] => {
    const match = /^([a-z]+)=(\d{1,9})$/.exec(part.trim());
    if (match !== null) return [match[1]!, Number(match[2])];
    throw new AttnswapError('INVALID_PARAMETERS', `task ${name}: got ${JSON.stringify(part)}, expected key=whole number`, { hint });
  });
  if (new Set(entries.map(([key]) => key)).size === entries.length) return Object.fromEntries(entries);
  throw new AttnswapError('INVALID_PARAMETERS', `task ${name}: got ${JSON.stringify(list)}, expected each key once`, { hint });
}
