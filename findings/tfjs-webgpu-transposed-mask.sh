#!/usr/bin/env bash
# One would guess that in TensorFlow.js a mask (a comparison cast to float32) can be transposed on every backend like any other float32 tensor.
# On WebGPU the cast keeps the comparison's integers under the name of float32. Adding to them works; a transposition of them does not compile. Its
# result, and those of unrelated operations queued before it, are whatever their buffers held. Nothing is thrown: Dawn only prints the error.
# (Needs a Vulkan driver; without a GPU, Debian's chromium brings one in software.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
software=/usr/lib/chromium/vk_swiftshader_icd.json
if [ -z "${VK_DRIVER_FILES:-}" ] && [ -e "$software" ]; then export VK_DRIVER_FILES=$software; fi
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund webgpu@0.6.2 @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-backend-webgpu@4.22.0
cat > run.mjs <<'JS'
import { create, globals } from 'webgpu';
Object.assign(globalThis, globals);
const gpu = create([]);
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
const tf = await import('@tensorflow/tfjs-core');
await import('@tensorflow/tfjs-backend-cpu');
await import('@tensorflow/tfjs-backend-webgpu');
tf.env().set('WEBGPU_CPU_FORWARD', false);

async function results(backend) {
  if (!(await tf.setBackend(backend))) throw new Error(`no ${backend}`);
  const scores = tf.tensor([3, -1, 2, -5, 4, -6], [1, 2, 3]);
  const mask = () => tf.cast(tf.greater(scores, 0), 'float32');
  const told = {};
  const tell = async (name, x) => (told[name] = [...(await x.data())]);
  await tell('scores, transposed by [0, 2, 1]', tf.transpose(scores, [0, 2, 1]));
  await tell('mask + 1', tf.add(mask(), 1));
  await tell('mask + 0, transposed by [2, 1, 0]', tf.transpose(tf.add(mask(), 0), [2, 1, 0]));
  const unread = tf.mul(scores, 2);
  await tell('mask, transposed by [1, 2, 0]', tf.transpose(mask(), [1, 2, 0]));
  await tell('scores × 2, queued before it', unread);
  return told;
}

const [cpu, webgpu] = [await results('cpu'), await results('webgpu')];
console.log(`tfjs-backend-webgpu ${tf.version_core}`);
const wrong = [];
for (const [name, right] of Object.entries(cpu)) {
  console.log(`${name}\n  cpu    ${right}\n  webgpu ${webgpu[name]}`);
  if (String(right) !== String(webgpu[name])) wrong.push(name);
}
process.exit(wrong.join('; ') === 'mask, transposed by [1, 2, 0]; scores × 2, queued before it' ? 0 : 1);
JS
node run.mjs || { echo 'this has changed' >&2; exit 1; }
