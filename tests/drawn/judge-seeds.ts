import { rm } from 'node:fs/promises';
import { emptyFolder } from '../run-cli.ts';
import { drawGraph } from './graphs.ts';
import type { IdiomName } from './graphs.ts';
import { judgeGraph, swapHere } from './judge.ts';

/**
 * Prints what becomes of drawn graphs as JSON: by seed, or as in `1/softcap/dense.naive`, in one process, so that a
 * mutant is compiled once.
 */
const folder = emptyFolder();
const verdicts: Record<string, string> = {};
for (const name of process.argv.slice(2)) {
  const [seed = '', idiom = 'plain', variant = 'dense.fused'] = name.split('/');
  verdicts[name] = (await judgeGraph(drawGraph(Number(seed), idiom as IdiomName), folder, { variant, swap: swapHere })).verdict;
}
await rm(folder, { recursive: true, force: true });
process.stdout.write(JSON.stringify(verdicts));
