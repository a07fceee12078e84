import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { drawGraph, firstGraphs } from './drawn/graphs.ts';
import { judgeGraph, swapHere } from './drawn/judge.ts';
import { emptyFolder } from './run-cli.ts';

/** A refusal of these would lose what most models have. */
const plainKinds = new Set(['none', 'causal', 'padding']);

describe('a drawn attention is swapped rightly, or refused with a reason', () => {
  const folder = emptyFolder();
  after(() => rm(folder, { recursive: true, force: true }));
  for (let seed = 0; seed < firstGraphs; seed++) {
    const graph = drawGraph(seed);
    test(`#${seed}: ${graph.text}`, async () => {
      const { verdict, reason } = await judgeGraph(graph, folder, { swap: swapHere });
      assert.ok(verdict === 'right' || verdict === 'refused', `${verdict}: ${reason}`);
      if (plainKinds.has(graph.kind)) assert.equal(verdict, 'right', reason);
    });
  }
});
