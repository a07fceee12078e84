import { z } from 'zod';
import { size } from '../text/figures.ts';
import { oneLine } from '../text/untrusted.ts';

/** What is shown of a host; a verdict's host is not checked further, and any of it may be absent. */
const shownSchema = z.object({
  cpu: z.object({ model: z.string(), logicalCores: z.number() }).optional(),
  availableCores: z.number().optional(),
  memoryBytes: z.number().optional(),
  gpus: z.array(z.object({ model: z.string() })).default([]),
  os: z.object({ platform: z.string(), arch: z.string() }).optional(),
  fingerprint: z.object({ sha256: z.string() }).optional(),
});

/** The host in one line: processor, cores, memory, GPUs, system, and the fingerprint's first twelve digits. */
export function hostLine(host: unknown): string {
  const parsed = shownSchema.safeParse(host);
  if (!parsed.success) return 'not described';
  const { cpu, availableCores, memoryBytes, gpus, os, fingerprint } = parsed.data;
  const cores = availableCores ?? cpu?.logicalCores;
  const parts = [
    cpu?.model,
    cores && `${cores} core${cores === 1 ? '' : 's'}`,
    memoryBytes && size(memoryBytes),
    ...gpus.map(({ model }) => model),
    os && `${os.platform} ${os.arch}`,
    fingerprint && `fingerprint ${fingerprint.sha256.slice(0, 12)}`,
  ];
  const line = parts.filter((part) => part !== undefined && part !== '' && part !== 0).join(', ');
  return line === '' ? 'not described' : oneLine(line);
}
