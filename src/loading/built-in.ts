/** Suites that attnswap brings, for `bench`, `gate` and `calibrate`. */
export const builtInSuites = ['smoke', 'lengths', 'longest', 'inputs', 'backends', 'half-precision', 'decode', 'cross', 'ci'] as const;

/** Testbeds that attnswap brings, for `tune`. */
export const builtInTunings = [
  'tune-recall',
  'tune-induction',
  'tune-prose',
  'tune-mlm',
  'tune-gates',
  'tune-techniques',
  'tune-guide',
  'tune-vision',
  'tune-clips',
  'tune-linear',
  'tune-translate',
  'tune-fuse',
  'tune-exits',
] as const;
