import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findSites } from '../../src/model/sites/find-sites.ts';
import { GraphIndex } from '../../src/model/graph/graph-index.ts';
import { matchSoftmaxes } from '../../src/model/sites/match-softmax.ts';
import type { OnnxFile } from '../../src/model/file/onnx-file.ts';
import { openProto } from '../../src/model/file/open-proto.ts';
import { architecture, plainLayer } from '../models/architecture.ts';
import { torchScript } from '../models/exporters.ts';
import { attend, declareMask } from '../models/torchscript-bert.ts';
import { buildTransformer } from '../models/transformer.ts';
import { inMemory, runner } from '../subjects.ts';

describe('large models', () => {
  /** The biggest cost is the runtime's own: opening a graph takes it more than twice the time for twice the nodes. */
  const deep = (layers: number) => {
    const design = architecture({ layers: Array.from({ length: layers }, () => plainLayer) });
    const exporter = { ...torchScript(17), constants: 'initializers' } as const;
    return inMemory(`${layers} layers`, buildTransformer({ exporter, architecture: design, prepare: declareMask, attend }, 0));
  };
  /** Of this process's own time: a busy machine is none of the finder's doing. */
  const millisecondsOf = async (run: () => unknown): Promise<number> => {
    const start = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };

  test('matching 11 612 nodes takes no more than their share of matching 1172', async () => {
    const [small, large] = [deep(20), deep(200)];
    const match = ({ proto }: OnnxFile) => matchSoftmaxes(new GraphIndex(proto.graph!));
    const least = async (file: OnnxFile): Promise<number> => {
      const times: number[] = [];
      for (let round = 0; round < 7; round++) times.push(await millisecondsOf(() => match(file)));
      return Math.min(...times);
    };
    assert.equal(large.proto.graph!.node.length, 11_612);
    assert.equal(match(large).length, 200);
    const [few, many] = [await least(small), await least(large)];
    assert.ok(many < 40 * few, `${few} ms and ${many} ms`);
  });

  test('finding 60 sites takes little more than opening the model twice', async () => {
    const file = deep(60);
    const open = async () => (await openProto(file.proto, file, runner, 'reading')).dispose();
    await open();
    const opening = await millisecondsOf(open);
    const finding = await millisecondsOf(async () => assert.equal((await findSites(file, runner)).swappable.size, 60));
    assert.ok(finding < 6 * opening, `${finding} ms to find, ${opening} ms to open`);
  });
});
