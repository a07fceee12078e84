import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { adapter as onnx } from '../../adapters/onnx/adapter.ts';
import { adapter as torch } from '../../adapters/torch/adapter.ts';
import type { Adapter } from '../../src/contract/adapter.ts';
import { writeTensors } from '../../src/data/tensor-files.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { readOnnxFile } from '../../src/model/file/onnx-file.ts';
import { skip as withoutPython } from '../../tests/transformers-installed.ts';
import { bertConfig, bertTensors } from './bert-folder.ts';
import { cosine, sentenceEmbedding } from './embedding.ts';

const exported = fileURLToPath(new URL('../../models/paraphrase-minilm-l3.onnx', import.meta.url));
const skip = withoutPython || (!existsSync(exported) && 'needs the model: npm run fetch-models');

test('the folder of transformers gives the embeddings that the exported model gives', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-bert-'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(bertConfig));
  await writeTensors(join(folder, 'model.safetensors'), bertTensors((await readOnnxFile(exported)).proto), { format: 'pt' });
  const ids = Array.from({ length: 40 }, (_, at) => 1000 + ((at * 7919) % 20_000));
  const feeds = { input_ids: tensorOf('int64', [1, 40], ids), attention_mask: tensorOf('int64', [1, 40], Array<number>(40).fill(1)) };
  const embedded = async (adapter: Adapter, backend: string, model: string) => {
    const opened = await adapter.openModel!({ backend, model });
    assert.ok(!('unsupported' in opened), JSON.stringify(opened));
    const bound = opened.bind(feeds);
    await bound.run();
    const embedding = sentenceEmbedding(bound.outputs());
    await opened.dispose();
    return embedding;
  };
  const likeness = cosine(await embedded(onnx, 'onnx-cpu', exported), await embedded(torch, 'torch-cpu', folder));
  assert.ok(likeness > 1 - 1e-6, `cosine ${likeness}`);
});
