import { z } from 'zod';

/** Keys that come from one source, such as the patches of an image: from `from` up to `to`, which is not one of them. */
export const keyGroupSchema = z.strictObject({ name: z.string().min(1).max(100), from: z.int().min(0), to: z.int().min(1) });
export type KeyGroup = z.infer<typeof keyGroupSchema>;

/** Groups of the keys of some attention sites, by number; of all where none are given. */
export const siteKeyGroupSchema = keyGroupSchema.extend({ sites: z.array(z.int().min(0)).min(1).readonly().exactOptional() });
export type SiteKeyGroup = z.infer<typeof siteKeyGroupSchema>;

/** Groups of one attention's keys. */
export const mostKeyGroups = 32;
