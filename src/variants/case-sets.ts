/** `few`: at most 2500 query–key pairs and 30 cases of a variant, and ties, for emulated devices; `quick`: at most 20 000; `everyday`: all but the longest; `all`. */
export const caseSets = ['few', 'quick', 'everyday', 'all'] as const;
export type CaseSet = (typeof caseSets)[number];
