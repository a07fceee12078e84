/*
 * Inner loops of the float64 reference, two numbers at a time: AssemblyScript, compiled by `npm run lanes` into src/lanes/lanes-code.ts. Pointers are in
 * bytes.
 *
 * Results are those of plain JavaScript to the bit, as each lane adds up a sum of its own in the same order, but for three: `weigh` gives weights within
 * one unit in the last place of Math.exp; `attend` adds the third and fourth of each four terms to one another first, and `residual` even and odd
 * dimensions apart. Like a plain loop's, such a sum of n terms is within about n·2⁻⁵³·Σ|term| of the exact one.
 */
export { addRows, attend, dealAndSort, products, residual, weigh } from './rows';
export { add, decay, read, replace } from './state';
