import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeTensors } from '../../src/data/tensor-files.ts';
import { readOnnxFile } from '../../src/model/file/onnx-file.ts';
import { bertConfig, bertTensors } from './bert-folder.ts';

// The trained weights of models/paraphrase-minilm-l3.onnx (npm run fetch-models) as a folder that transformers opens: models/minilm-bert.

const folder = 'models/minilm-bert';
const { proto } = await readOnnxFile('models/paraphrase-minilm-l3.onnx');
const tensors = bertTensors(proto);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), `${JSON.stringify(bertConfig, null, 2)}\n`);
await writeTensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
copyFileSync('models/minilm-tokenizer.json', join(folder, 'tokenizer.json'));
process.stdout.write(
  `${folder}: a BertModel of ${bertConfig.num_hidden_layers} layers with ${Object.keys(tensors).length} trained tensors\n`,
);
