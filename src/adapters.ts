/** What `attnswap/adapters` exports: attnswap's own adapters, others by their command or module, and the mathematics that kernels are judged by. */
export { adapters } from '../adapters/index.ts';
export { adapterAt } from './loading/adapter.ts';
export { workerEntry } from './protocol/worker-entry.ts';
export { formatVariant, parseVariant, variants } from './variants/index.ts';
export { judgeOutput } from './variants/judge.ts';
export type { Judgement } from './variants/judge.ts';
export { referenceOutput } from './variants/reference.ts';
export type { RowAddress } from './variants/reference.ts';
