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

/** What becomes of graphs, by seed or by name, with the given changes to the sources. */
async function verdictsOf(graphs: ReadonlyArray<number | string>, changes: readonly object[]): Promise<Record<number | string, string>> {
  const args = ['--import', drawn('mutant.ts'), drawn('judge-seeds.ts'), ...graphs.map(String)];
  const { stdout } = await execa(process.execPath, args, { env: { ATTNSWAP_MUTANT: JSON.stringify(changes) } });
  return JSON.parse(stdout) as Record<number | string, string>;
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

/** Faults in what a site does to its logits beside scale and mask, each with a graph in which it shows and a variant. */
const faults = {
  'a kernel drops the cap': {
    graph: '12/softcap/dense.naive',
    changes: [{ file: 'adapters/onnx/tiles.ts', from: "graph.op('Tanh', [score])", to: 'score' }],
  },
  'a kernel caps after the mask': {
    graph: '12/softcap/dense.naive',
    changes: [
      { file: 'dense-naive.ts', from: 'const score = capped(graph, scores(', to: 'const score = (scores(' },
      { file: 'dense-naive.ts', from: ', 4), config);', to: ', 4));' },
      {
        file: 'dense-naive.ts',
        from: '{ score, bias, value',
        to: "{ score: capped(graph, bias === undefined ? score : graph.op('Add', [score, bias]), config), bias: undefined, value",
      },
    ],
  },
  'the cap of a graph is not seen': {
    graph: '12/softcap/dense.naive',
    changes: [{ file: 'sites/soft-cap.ts', from: 'return place < 0 ?', to: 'return place < 1e9 ?' }],
  },
  'the cap of an operator is not seen': {
    graph: '1/softcap/dense.naive',
    changes: [{ file: 'sites/soft-cap.ts', from: 'return declared?.softcap;', to: 'return undefined;' }],
  },
  'a cap after the mask is taken for one before it': {
    graph: '1/capped masks/dense.naive',
    changes: [{ file: 'sites/soft-cap.ts', from: 'return inside && `', to: 'return undefined && `' }],
  },
  'a kernel drops the sinks': {
    graph: '2/sinks/dense.naive',
    changes: [{ file: 'adapters/onnx/tiles.ts', from: 'sinks === undefined ? graph', to: 'sinks !== null ? graph' }],
  },
  'sinks are not seen': {
    graph: '2/sinks/dense.naive',
    changes: [{ file: 'sites/match-softmax.ts', from: '...(sinks !== undefined && { sinks:', to: '...(sinks === null && { sinks:' }],
  },
} as const;

/** The checks that stand between such a fault and a file. */
const withoutChecks = [
  {
    file: 'sites/observe.ts',
    from: 'if (isBlind(reading)) return undefined;\n  const { scale }',
    to: 'return undefined;\n  const { scale }',
  },
  { file: 'operations/checked-swap.ts', from: '  refuseWrong(file.path, atSites);', to: '' },
  { file: 'operations/checked-swap.ts', from: '  refuseInexact(file.path, {', to: '  void ({' },
];

describe('a fault in a soft cap or in sinks is refused before anything is written', () => {
  for (const [name, { graph, changes }] of Object.entries(faults)) {
    test(name, async () => {
      const verdictWith = async (all: readonly object[]) => (await verdictsOf([graph], all))[graph];
      const refused = await verdictWith(changes);
      assert.ok(refused === 'refused' || refused === 'crashed', refused);
      assert.equal(await verdictWith([...changes, ...withoutChecks]), 'wrong');
    });
  }
});
