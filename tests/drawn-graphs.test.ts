import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { drawGraph } from './drawn/graphs.ts';
import { judgeGraph } from './drawn/judge.ts';
import { emptyFolder } from './run-cli.ts';

/** Four of each kind of mask; `node bench/drawn-graphs.ts` judges 500. */
const graphs = 44;
/** A refusal of these would lose what most models have. */
const plainKinds = new Set(['none', 'causal', 'padding']);

describe('a drawn attention is swapped rightly, or refused with a reason', () => {
  const folder = emptyFolder();
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
  after(() => rm(folder, { recursive: true, force: true }));
  for (let seed = 0; seed < graphs; seed++) {
    const graph = drawGraph(seed);
    test(`#${seed}: ${graph.text}`, async () => {
      const { verdict, reason } = await judgeGraph(graph, folder);
      assert.ok(verdict === 'right' || verdict === 'refused', `${verdict}: ${reason}`);
      if (plainKinds.has(graph.kind)) assert.equal(verdict, 'right', reason);
    });
  }
});
