import { z } from 'zod';
import { recordReader } from '../files/read-record.ts';
import { dtypes } from './shape.ts';

export const deviceSchemaName = 'attnswap.device/1';

const words = (most: number) => z.string().min(1).max(most);
/** No machine comes near: what is above is a unit mistaken. */
const rate = (most: number) => z.number().min(1).max(most);

/** What a device is declared to do at most, for arithmetic: nothing of it is measured. */
export const deviceSchema = z.strictObject({
  schema: z.literal(deviceSchemaName),
  name: words(200),
  /** Where the rates are from. */
  source: words(1000),
  /** Peak additions and multiplications per second, by element type; a multiply–add is two. */
  flopsPerSecond: z
    .partialRecord(z.enum(dtypes), rate(1e20))
    .refine((rates) => Object.keys(rates).length > 0, 'expected at least one element type'),
  /** Peak traffic to the memory that holds inputs and outputs. */
  bytesPerSecond: rate(1e18),
  /** Of the units that compute, where it is known. */
  clockHz: rate(1e12).optional(),
});
export type Device = z.infer<typeof deviceSchema>;

/** Checks an untrusted device file. @throws INVALID_DEVICE naming the field */
export const readDevice = recordReader(deviceSchema, { code: 'INVALID_DEVICE', hint: 'docs/devices.md shows a device file' });
