/*
 * Inner loops of the float64 reference, two numbers at a time: AssemblyScript, compiled by `npm run lanes` into src/lanes/lanes-code.ts. Each
 * lane adds up a sum of its own, in the order in which plain JavaScript would, so results are the same to the bit. Pointers are in bytes.
 */
export { addRows, attend, dealAndSort, products, residual, weigh } from './rows';
export { add, decay, read, replace } from './state';
