import { mkdirSync, writeFileSync } from 'node:fs';
import { buildEncoder, encoder } from './encoder.ts';

const path = 'models/whisper-tiny-shape-drawn-weights.onnx';
const bytes = buildEncoder(1);
mkdirSync('models', { recursive: true });
writeFileSync(path, bytes);
const { layers, heads, width } = encoder;
process.stdout.write(
  `${path}: the shape of Whisper tiny's encoder (${layers} layers, ${heads} heads, ${width} wide); its weights are random, not trained\n`,
);
