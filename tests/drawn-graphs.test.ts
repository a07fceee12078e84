import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { drawGraph } from './drawn/graphs.ts';
import { judgeGraph } from './drawn/judge.ts';
import { emptyFolder } from './run-cli.ts';

/** Four of each kind of mask; `node bench/drawn-graphs.ts` judges 500. */
const graphs = 44;

describe('a drawn attention is swapped rightly, or refused with a reason', () => {
  const folder = emptyFolder();
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
  after(() => rm(folder, { recursive: true, force: true }));
  for (let seed = 0; seed < graphs; seed++) {
    const graph = drawGraph(seed);
    test(`#${seed}: ${graph.text}`, async () => {
      const { verdict, reason } = await judgeGraph(graph, folder);
      assert.ok(verdict === 'right' || verdict === 'refused', `${verdict}: ${reason}`);
      // What needs no mask, or is causal alone, is swapped by every build.
      if (graph.kind === 'none' || graph.kind === 'causal') assert.equal(verdict, 'right', reason);
    });
  }
});
