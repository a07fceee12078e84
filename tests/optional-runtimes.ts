import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Imported for what it does: runtimes that need no GPU and are on the machine already are tested, where nothing else was named.

/** WebGPU without a GPU: Debian's chromium package brings SwiftShader's Vulkan driver. */
const softwareVulkan = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (process.env['VK_DRIVER_FILES'] === undefined && existsSync(softwareVulkan)) {
  process.env['VK_DRIVER_FILES'] = softwareVulkan;
  process.env['XDG_RUNTIME_DIR'] ??= '/tmp';
}

/** What `npm run build:tfjs-node` made. */
const builtTfjsNode = fileURLToPath(new URL('../.cache/tfjs-node/node_modules/@tensorflow/tfjs-node', import.meta.url));
if (existsSync(builtTfjsNode)) process.env['ATTNSWAP_TFJS_NODE'] ??= builtTfjsNode;

/** What `npm run setup:openvino` made. */
const onnxPython = fileURLToPath(new URL('../.cache/openvino/bin/python3', import.meta.url));
if (existsSync(onnxPython)) process.env['ATTNSWAP_ONNX_PYTHON'] ??= onnxPython;

/** The system's Python has Debian's PyTorch, where the first on the path is another one without it. */
const hasTorch = (python: string) =>
  spawnSync(python, ['-c', 'import importlib.util as util, sys; sys.exit(util.find_spec("torch") is None)']).status === 0;
const systemPython = '/usr/bin/python3';
if (process.env['ATTNSWAP_PYTHON'] === undefined && !hasTorch('python3') && existsSync(systemPython) && hasTorch(systemPython))
  process.env['ATTNSWAP_PYTHON'] = systemPython;
