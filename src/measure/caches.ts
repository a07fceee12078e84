import type { ReadText } from '../processes/control-groups.ts';
import type { Host } from './host-schema.ts';

type Caches = Host['cpu']['caches'];

const fields = { '1 Data': 'l1dBytes', '1 Instruction': 'l1iBytes', '2 Unified': 'l2Bytes', '3 Unified': 'l3Bytes' } as const;
const unitBytes: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** The caches that Linux's first processor sees, one instance each: `lscpu`, and what asks it, has the sum of all instances. */
export function cachesOfFirstProcessor(read: ReadText): Caches {
  const caches: Caches = { l1dBytes: null, l1iBytes: null, l2Bytes: null, l3Bytes: null };
  for (let index = 0; index < 8; index++) {
    const part = (name: string) => read(`/sys/devices/system/cpu/cpu0/cache/index${index}/${name}`) ?? '';
    const kind = `${part('level')} ${part('type')}`;
    const size = /^(\d{1,9})([KMG])$/.exec(part('size'));
    if (size !== null && Object.hasOwn(fields, kind)) caches[fields[kind as keyof typeof fields]] = Number(size[1]) * unitBytes[size[2]!]!;
  }
  return caches;
}
