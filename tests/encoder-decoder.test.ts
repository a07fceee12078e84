import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { Tensors } from '../src/contract/tensor.ts';
import { writeTensors } from '../src/data/tensor-files.ts';
import { openProto } from '../src/model/file/open-proto.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { joinModels } from '../src/model/parts/join-models.ts';
import { parseModel, readOnnxFile } from '../src/model/file/onnx-file.ts';
import type { MigrationRecord } from '../src/operations/migrate.ts';
import { sites, sitesInFolder } from '../src/operations/sites.ts';
import type { FolderSwapRecord } from '../src/operations/swap-folder.ts';
import { swapFolder } from '../src/operations/swap-folder.ts';
import { files, sites as counts } from './models/encoder-decoder.ts';
import { drawTokens, paddingMask } from './models/sequences.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { inMemory, runner } from './subjects.ts';

function folderOf(forms?: Parameters<typeof files>[0], folder = emptyFolder()): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files(forms))) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** A padded sentence, and a shorter one that the decoder has so far. */
function feeds(length: number, seed = 1): Tensors {
  const at = { batch: 2, length, padded: true, seed };
  return {
    input_ids: drawTokens(at),
    attention_mask: paddingMask(at),
    decoder_input_ids: drawTokens({ batch: 2, length: Math.ceil(length / 2), seed: seed + 1 }),
  };
}

async function outputsOf(path: string, given: Tensors): Promise<Tensors> {
  const file = await readOnnxFile(path);
  const model = await openProto(file.proto, file, runner);
  try {
    const bound = model.bind(given);
    await bound.run();
    return bound.outputs();
  } finally {
    await model.dispose();
  }
}

test('encoder and decoder joined give what one gives after the other', async () => {
  const folder = folderOf();
  const { 'encoder_model.onnx': encoder, 'decoder_model.onnx': decoder } = files();
  const read = (bytes: Uint8Array) => parseModel(Uint8Array.from(bytes), 'part');
  const joined = joinModels(read(encoder!), read(decoder!));
  const given = feeds(11);
  const { decoder_input_ids: tokens, ...ofEncoder } = given;
  const { last_hidden_state: states } = await outputsOf(join(folder, 'encoder_model.onnx'), ofEncoder);
  const expected = await outputsOf(join(folder, 'decoder_model.onnx'), {
    input_ids: tokens!,
    encoder_attention_mask: given['attention_mask']!,
    encoder_hidden_states: states!,
  });
  const model = await openProto(joined, inMemory('joined', encoder!), runner);
  assert.deepEqual(
    model.inputs.map(({ name }) => name),
    ['input_ids', 'attention_mask', 'decoder_input_ids'],
  );
  const bound = model.bind(given);
  await bound.run();
  assert.deepEqual(bound.outputs()['logits'], expected['logits']);
  await model.dispose();
});

describe('sites of a folder with an encoder and a decoder', () => {
  test('are numbered throughout its files, and alike in each form of the decoder', async () => {
    const records = await sitesInFolder({ model: folderOf(['decoder', 'with past', 'merged']) });
    const numbers = records.map((record) => 'sites' in record && record.sites.map(({ site }) => site));
    const own = [2, 3, 4, 5];
    assert.deepEqual(numbers, [[0, 1], own, own, [...own, ...own]]);
    assert.ok(records.every((record) => 'sites' in record && record.sites.every(({ swappable }) => swappable)));
    const crossing = records.map((record) => 'sites' in record && record.sites.map(({ crossAttention }) => crossAttention === true));
    const across = [false, true, false, true];
    assert.deepEqual(crossing, [[false, false], across, across, [...across, ...across]]);
  });

  test('are printed file by file, with what the folder is taken as', async () => {
    const folder = folderOf(['merged']);
    const { stdout, exitCode } = await attnswap(['sites', folder, '--quiet']);
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, /encoder_model\.onnx:\nsite[\s\S]*decoder_model_merged\.onnx:\nsite/);
    assert.match(stdout, /2 models: 10 sites, 10 can be swapped\n.* is one encoder–decoder model/);
  });
});

describe('swap of a folder', () => {
  let folder = '';
  before(() => void (folder = folderOf(['with past', 'merged'])));

  test('writes every file with new attention, proven and compared', async () => {
    const out = join(emptyFolder(), 'swapped');
    const record = await swapFolder({ model: folder, out, variants: ['dense.fused'] });
    assert.deepEqual(readdirSync(out).toSorted(), readdirSync(folder).toSorted());
    assert.deepEqual(
      record.files.map(({ changes }) => changes.length),
      [counts.encoder, 2 * counts.decoder, counts.decoder],
    );
    for (const { comparison, proof } of record.files) {
      assert.ok(comparison.largest < 1e-5);
      assert.ok(proof.nodesRemoved.some((name) => name.includes('Softmax')));
    }
  });

  test('gives a window to self-attention and says so, in the text and in the record', async () => {
    const out = join(emptyFolder(), 'swapped');
    const proof = join(emptyFolder(), 'proof.json');
    const { stdout, stderr, exitCode } = await attnswap([
      'swap',
      folder,
      '--variant',
      'window:w=4',
      '--out',
      out,
      '--out',
      proof,
      '--quiet',
    ]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /sites 3, 5 keep their own attention: this variant selects keys by position, and the queries there/);
    const record = JSON.parse(readFileSync(proof, 'utf8')) as FolderSwapRecord;
    assert.deepEqual(record.passedOver, [3, 5]);
    assert.deepEqual(
      record.files.map(({ changes }) => changes.map(({ site }) => site)),
      [
        [0, 1],
        [2, 4, 2, 4],
        [2, 4],
      ],
    );
  });

  test('compares both models, each run as one, on given data', async () => {
    const data = join(emptyFolder(), 'item.safetensors');
    await writeTensors(data, feeds(20));
    const out = join(emptyFolder(), 'swapped');
    const { onData } = await swapFolder({ model: folder, out, variants: ['dense.fused'], data: [data] });
    assert.equal(onData?.judgement?.outcome, 'pass');
  });

  test('keeps the attention of files that have none of the chosen sites', async () => {
    const out = join(emptyFolder(), 'swapped');
    const record = await swapFolder({ model: folder, out, variants: ['dense.fused'], sites: '0-1' });
    assert.deepEqual(
      record.files.map((file) => file.out),
      [join(out, 'encoder_model.onnx')],
    );
    const kept = await Promise.all([folder, out].map((each) => readOnnxFile(join(each, 'decoder_model_merged.onnx'))));
    const { nodesAdded, nodesRemoved } = proveUnchanged(kept[0]!.proto, kept[1]!.proto);
    assert.deepEqual([nodesAdded, nodesRemoved], [0, []]);
  });

  test('writes nothing where a form of the decoder has other sites, and names it', async () => {
    const mixed = folderOf(['decoder']);
    writeFileSync(join(mixed, 'decoder_with_past_model.onnx'), files()['encoder_model.onnx']!);
    const out = join(emptyFolder(), 'swapped');
    await assert.rejects(swapFolder({ model: mixed, out, variants: ['dense.fused'] }), {
      code: 'UNSUPPORTED',
      message: /decoder_with_past_model\.onnx: 2 attention sites, expected 4 as in decoder_model\.onnx/,
    });
    assert.equal(existsSync(out), false);
  });

  test('refuses sites that are not there, the folder itself, and a folder without an encoder', async () => {
    const refused = (options: Partial<Parameters<typeof swapFolder>[0]>, message: RegExp) =>
      assert.rejects(swapFolder({ model: folder, out: join(emptyFolder(), 'out'), variants: ['dense.fused'], ...options }), {
        code: 'USAGE',
        message,
      });
    await refused({ sites: '6' }, /there is no site 6: the model has 6 sites/);
    await refused({ out: folder }, /would overwrite the original/);
    await refused({ model: emptyFolder() }, /expected encoder_model\.onnx and decoder_model\.onnx in it/);
  });
});

describe('sizes of dimensions of a folder', () => {
  let folder = '';
  before(() => void (folder = folderOf(['decoder', 'with past'])));
  const refused = {
    code: 'USAGE',
    message: /--dim past: no input of .* has this dynamic dimension, expected batch, sequence, .*past_sequence/,
  };

  test('may be of a dimension that one of its files has', async () => {
    const record = await swapFolder({
      model: folder,
      out: join(emptyFolder(), 'out'),
      variants: ['dense.fused'],
      dimensions: { past_sequence: 4 },
    });
    assert.equal(record.files.length, 3);
    const records = await sitesInFolder({ model: folder, dimensions: { past_sequence: 4 } });
    assert.ok(records.every((each) => 'sites' in each));
  });

  test('are refused by name where none of its files has the dimension', async () => {
    const dimensions = { past: 4 };
    await assert.rejects(swapFolder({ model: folder, out: join(emptyFolder(), 'out'), variants: ['dense.fused'], dimensions }), refused);
    await assert.rejects(sitesInFolder({ model: folder, dimensions }), refused);
    await assert.rejects(sites({ model: folder, dimensions }), refused);
  });

  test('are left to the other files where one cannot be read, whose names are not known: it is told', async () => {
    const other = folderOf();
    const [file] = readdirSync(other).filter((name) => name.startsWith('decoder'));
    writeFileSync(join(other, 'cut.onnx'), readFileSync(join(other, file!)).subarray(0, 3000));
    const records = await sitesInFolder({ model: other, dimensions: { past_sequence: 4 } });
    const failures = records.flatMap((each) => ('code' in each ? [[basename(each.model), each.code]] : []));
    assert.deepEqual(failures, [['cut.onnx', 'INVALID_MODEL']]);
    await assert.rejects(sitesInFolder({ model: other, dimensions: { past_sequense: 4 } }), /--dim past_sequense: no input of/);
  });
});

const dataModule = `
const ids = (length, seed) => ({ type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * seed) % 90)) });
export async function items({ lengths, itemsPerLength, seed }) {
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
    id: length + '-' + index,
    length,
    groups: [0, length / 2].map((from) => ({ name: 'from ' + from, from, to: from + length / 2, sites: [0, 1, 3, 5] })),
    feeds: {
      input_ids: ids(length, seed + index),
      attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
      decoder_input_ids: ids(length / 2, seed + index + 1),
    },
  })));
}
`;

test('migrate takes the folder as one model to one verdict, and writes its files side by side where it adopts', async () => {
  const cwd = emptyFolder();
  const folder = folderOf(['with past', 'merged'], join(cwd, 'pair'));
  writeFileSync(join(cwd, 'mine.data.mjs'), dataModule);
  const args = ['migrate', folder, '--data', 'mine.data.mjs', '--lengths', '384', '--items', '5', '--dir', 'state', '--goal', 'memory'];
  const more = ['--candidate', 'dense.fused', '--candidate', 'window:w=8', '--max-blocks', '3', '--quiet'];
  const { stdout, stderr, exitCode } = await attnswap([...args, ...more, '--json'], { cwd });
  const record = JSON.parse(stdout || '{}') as MigrationRecord;
  assert.equal(exitCode, { adopt: 0, 'tune-first': 2, reject: 1 }[record.verdict!], stderr);
  assert.equal(record.sites.length, counts.encoder + counts.decoder);
  assert.deepEqual(
    record.candidates?.map(({ name, passedOver }) => [name, passedOver]),
    [
      ['dense.fused', undefined],
      ['window.tiled:w=8', [3, 5]],
    ],
  );
  assert.ok(record.candidates![1]!.decision.reasons.some((reason) => reason.startsWith('Sites 3, 5 keep their own attention')));
  const { waste } = record.baseline.lengths[0]!;
  assert.deepEqual(
    waste.map(({ overall: { groups = [] } }) => groups.map(({ name, to }) => [name, to])),
    [0, 1, 2, 3, 4, 5].map((site) =>
      site === 2 || site === 4
        ? []
        : [
            ['from 0', 192],
            ['from 192', 384],
          ],
    ),
  );
  const [fused] = record.candidates!;
  assert.equal(fused!.quality?.judgement.outcome, 'pass', JSON.stringify(fused));
  if (record.final?.model !== null && record.final !== null)
    assert.deepEqual(readdirSync(join(cwd, record.final.model)).toSorted(), readdirSync(folder).toSorted());
});
