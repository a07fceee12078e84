import { z } from 'zod';
import { parameterObject, wholeNumber } from '../parameter-types.ts';

const ratioError = 'three whole numbers as in 4:3:1 (local:regional:global), not all 0';

export const hierarchicalParameters = parameterObject({
  local: wholeNumber(1).default(8),
  region: wholeNumber(1).default(32),
  ratio: z
    .string({ error: ratioError })
    .regex(/^\d{1,6}:\d{1,6}:\d{1,6}$/, { error: ratioError })
    .refine((text) => /[1-9]/.test(text), { error: ratioError })
    .default('4:3:1'),
}).refine(({ local, region }) => region % local === 0, { error: 'region must be a multiple of local' });

export type HierarchicalParameters = z.output<typeof hierarchicalParameters>;
