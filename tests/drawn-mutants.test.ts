import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { drawGraph, firstGraphs } from './drawn/graphs.ts';

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
    changes: [{ file: 'src/model/sites/find-sites.ts', from: 'const proof = proofs.get(place)', to: 'const proof = proofs.get(-1)' }],
    dropped: { local: 41, shaped: 97 },
  },
} as const;

const drawn = (file: string): string => fileURLToPath(new URL(`drawn/${file}`, import.meta.url));

/** What becomes of graphs, by seed, where the given checks are left out. */
async function verdictsOf(seeds: readonly number[], changes: readonly object[]): Promise<Record<number, string>> {
  const args = ['--import', drawn('mutant.ts'), drawn('judge-seeds.ts'), ...seeds.map(String)];
  const { stdout } = await execa(process.execPath, args, { env: { ATTNSWAP_MUTANT: JSON.stringify(changes) } });
  return JSON.parse(stdout) as Record<number, string>;
}

describe('without a check a mask is dropped, and the judge of drawn graphs sees it', () => {
  for (const [name, { changes, dropped }] of Object.entries(mutants)) {
    describe(name, () => {
      const seeds = Object.values(dropped);
      let sound: Record<number, string>;
      let mutated: Record<number, string>;
      before(async () => {
        // drawn-graphs.test.ts judges the first ones.
        sound = await verdictsOf(
          seeds.filter((seed) => seed >= firstGraphs),
          [],
        );
        mutated = await verdictsOf(seeds, changes);
      });
      for (const [kind, seed] of Object.entries(dropped)) {
        test(kind, () => {
          assert.equal(drawGraph(seed).kind, kind);
          if (seed >= firstGraphs) assert.ok(sound[seed] === 'right' || sound[seed] === 'refused', sound[seed]);
          assert.equal(mutated[seed], 'wrong');
        });
      }
    });
  }
});
