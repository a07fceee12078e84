import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, describe, test } from 'node:test';
import { drawGraph } from './drawn/graphs.ts';
import { judgeGraph } from './drawn/judge.ts';
import { emptyFolder } from './run-cli.ts';

/** A check left out, and drawn graphs, by seed, of which wrong files are then written: without each check a kind of mask is dropped. */
const mutants = {
  'inputs that reach a mask are not varied': {
    changes: [
      {
        file: 'src/model/sites/probe-inputs.ts',
        from: "at.only === undefined || at.only === name ? at.style : 'plain'",
        to: "'plain'",
      },
      { file: 'src/model/sites/see-masks.ts', from: 'if (unseen.length === 0)', to: 'if (unseen.length >= 0)' },
    ],
    dropped: { pairs: 3, lengths: 4, ids: 5, padding: 13, packed: 29, switched: 32, types: 50 },
  },
  'masks are read in short runs alone': {
    changes: [
      { file: 'src/model/sites/find-sites.ts', from: 'read.map((each) => withProof(', to: 'read.map((each) => true ? each : withProof(' },
    ],
    dropped: { local: 8, shaped: 97 },
  },
} as const;

describe('without a check a mask is dropped, and the judge of drawn graphs sees it', () => {
  const folder = emptyFolder();
  const before = { ...process.env };
  after(async () => {
    restore();
    await rm(folder, { recursive: true, force: true });
  });
  const restore = () => {
    for (const name of ['ATTNSWAP_MUTANT', 'NODE_OPTIONS', 'NODE_COMPILE_CACHE']) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  };
  for (const [name, { changes, dropped }] of Object.entries(mutants)) {
    for (const [kind, seed] of Object.entries(dropped)) {
      test(`${name}: ${kind}`, async () => {
        const graph = drawGraph(seed);
        assert.equal(graph.kind, kind);
        const { verdict: sound } = await judgeGraph(graph, folder);
        assert.ok(sound === 'right' || sound === 'refused', sound);
        process.env['ATTNSWAP_MUTANT'] = JSON.stringify(changes);
        process.env['NODE_OPTIONS'] = `--import=${fileURLToPath(new URL('drawn/mutant.ts', import.meta.url))}`;
        process.env['NODE_COMPILE_CACHE'] = join(folder, 'compiled');
        try {
          const { verdict, reason } = await judgeGraph(graph, folder);
          assert.equal(verdict, 'wrong', reason);
        } finally {
          restore();
        }
      });
    }
  }
});
