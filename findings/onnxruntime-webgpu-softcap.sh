#!/usr/bin/env bash
# One would guess that ONNX Runtime's WebGPU provider honors GroupQueryAttention's softcap, as the CPU does (Gemma 2 depends on it), or refuses it.
# It ignores it: the outputs are those without a cap, in a prompt and in decoding, and nothing is said. The window next to it is honored.
# (Needs a Vulkan driver; without a GPU, Debian's chromium brings one in software.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
software=/usr/lib/chromium/vk_swiftshader_icd.json
if [ -z "${VK_DRIVER_FILES:-}" ] && [ -e "$software" ]; then export VK_DRIVER_FILES=$software; fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$folder}
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 numpy==2.4.6
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0
cat > models.py <<'PY'
import onnx
from onnx import TensorProto, helper

heads, shared, width = 4, 2, 16
value = lambda name, shape, kind=TensorProto.FLOAT: helper.make_tensor_value_info(name, kind, shape)
inputs = [value('query', [1, 'n', heads * width]), *(value(name, [1, 'n', shared * width]) for name in ('key', 'value')),
          *(value(name, [1, shared, 'past', width]) for name in ('past_key', 'past_value')),
          value('seqlens', [1], TensorProto.INT32), value('total', [1], TensorProto.INT32)]
outputs = [value('output', [1, 'n', heads * width]), *(value(name, [1, shared, 'all', width]) for name in ('present_key', 'present_value'))]
for name, more in {'plain': {}, 'softcap': {'softcap': 0.8}, 'window': {'local_window_size': 3}}.items():
    node = helper.make_node('GroupQueryAttention', [each.name for each in inputs], [each.name for each in outputs], domain='com.microsoft',
                            num_heads=heads, kv_num_heads=shared, **more)
    graph = helper.make_graph([node], name, inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20), helper.make_opsetid('com.microsoft', 1)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, f'{name}.onnx')
PY
venv/bin/python models.py
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';

let state = 1;
const draw = (...shape) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return new ort.Tensor('float32', Float32Array.from({ length: size }, () => ((state = (state * 48271) % 2147483647) / 2147483647) * 4 - 2), shape);
};
const count = (n) => new ort.Tensor('int32', Int32Array.of(n), [1]);
const inputsOf = (n, past) => ({
  query: draw(1, n, 64), key: draw(1, n, 32), value: draw(1, n, 32), past_key: draw(1, 2, past, 16), past_value: draw(1, 2, past, 16),
  seqlens: count(past + n - 1), total: count(past + n),
});

async function output(model, provider, inputs) {
  const session = await ort.InferenceSession.create(`${model}.onnx`, { executionProviders: [provider], logSeverityLevel: 3 });
  const { data } = (await session.run(inputs)).output;
  await session.release();
  return data;
}

const gap = (a, b) => a.reduce((worst, each, i) => Math.max(worst, Math.abs(each - b[i])), 0);
console.log('onnxruntime-node', JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8')).version);
let changed = false;
for (const [place, inputs] of [['6 tokens', inputsOf(6, 0)], ['1 token behind 5', inputsOf(1, 5)]]) {
  const cpu = {}, webgpu = {};
  for (const model of ['plain', 'window', 'softcap']) {
    cpu[model] = await output(model, 'cpu', inputs);
    webgpu[model] = await output(model, 'webgpu', inputs);
    console.log(`${place}, ${model}: webgpu differs from cpu by ${gap(webgpu[model], cpu[model]).toPrecision(2)}, from itself without by ${gap(webgpu[model], webgpu.plain).toPrecision(2)}`);
  }
  const ignored = gap(webgpu.softcap, webgpu.plain) < 1e-6 && gap(webgpu.softcap, cpu.softcap) > 0.05;
  const honored = gap(webgpu.window, cpu.window) < 1e-3 && gap(webgpu.window, webgpu.plain) > 0.05;
  changed ||= !ignored || !honored || gap(webgpu.plain, cpu.plain) > 1e-3;
}
process.exit(changed ? 1 : 0);
JS
node run.mjs || { echo 'this has changed' >&2; exit 1; }
