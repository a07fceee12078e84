import { createHash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Unzip, UnzipInflate } from 'fflate';
import type { UnzipFile } from 'fflate';
import { AttnswapError } from '../../src/contract/errors.ts';
import { tensorflow } from './versions.ts';

/** Of the wheel: both libraries, and the headers that the C API's include. */
const wanted = /^tensorflow\/(libtensorflow_\w+\.so\.2$|include\/tensorflow\/(c|tsl\/c|core\/platform|tsl\/platform)\/.*\.h$)/;

/**
 * Unpacks what the binding is built with, as it is read: no file of the wheel is held in memory whole.
 * @throws INVALID_DATA where the wheel is not the one that this project knows; nothing of it is written then
 */
export async function unpackLibrary(wheel: string, folder: string): Promise<void> {
  await checkContent(wheel);
  const unzip = new Unzip((file) => {
    if (wanted.test(file.name)) write(file, join(folder, file.name));
  });
  unzip.register(UnzipInflate);
  for await (const chunk of chunksOf(wheel)) unzip.push(chunk);
}

async function checkContent(wheel: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(wheel)) hash.update(chunk);
  const sha256 = hash.digest('hex');
  if (sha256 === tensorflow.sha256) return;
  throw new AttnswapError('INVALID_DATA', `${tensorflow.requirement}: SHA-256 is ${sha256}, expected ${tensorflow.sha256}`, {
    hint: 'the index has another wheel; look at it before you trust it',
  });
}

function chunksOf(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: 1 << 20 });
}

function write(file: UnzipFile, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const descriptor = openSync(path, 'w');
  file.ondata = (error, data, final) => {
    if (error) throw error;
    writeSync(descriptor, data);
    if (final) closeSync(descriptor);
  };
  file.start();
}
