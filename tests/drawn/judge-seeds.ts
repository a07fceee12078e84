import { rm } from 'node:fs/promises';
import { emptyFolder } from '../run-cli.ts';
import { drawGraph } from './graphs.ts';
import { judgeGraph, swapHere } from './judge.ts';

/** Prints what becomes of the drawn graphs with the given seeds as JSON: by seed, in one process, so that a mutant is compiled once. */
const folder = emptyFolder();
const verdicts: Record<string, string> = {};
for (const seed of process.argv.slice(2)) verdicts[seed] = (await judgeGraph(drawGraph(Number(seed)), folder, { swap: swapHere })).verdict;
await rm(folder, { recursive: true, force: true });
process.stdout.write(JSON.stringify(verdicts));
