import { readdir, stat } from 'node:fs/promises';

const builder = /\.py:\w+$/;

/**
 * Whether a path is that of a model that a worker opens: a folder as Hugging Face's save_pretrained writes it (config.json and safetensors),
 * or `module.py:function`.
 */
export async function isHostedModel(path: string): Promise<boolean> {
  if (builder.test(path)) return true;
  if ((await stat(path).catch(() => undefined))?.isDirectory() !== true) return false;
  const names = await readdir(path);
  return names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'));
}
