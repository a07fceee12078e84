import { z } from 'zod';
import { oneLine } from '../text/untrusted.ts';

const describedSchema = z.object({
  cpu: z.object({ model: z.string() }).optional().catch(undefined),
  availableCores: z.number().optional().catch(undefined),
  gpus: z
    .array(z.object({ model: z.string() }))
    .default([])
    .catch([]),
});

/** A machine in a few words, as records name none: `AMD Ryzen 9 7950X · 32 cores`. */
export function hostName(host: unknown): string {
  const parsed = describedSchema.safeParse(host);
  if (!parsed.success) return 'machine not described';
  const { cpu, availableCores, gpus } = parsed.data;
  const parts = [
    cpu?.model.replace(/ \(family .*$/, '') ?? 'processor not described',
    ...(availableCores === undefined ? [] : [`${availableCores} core${availableCores === 1 ? '' : 's'}`]),
    ...gpus.map(({ model }) => model),
  ];
  return oneLine(parts.join(' · '));
}
