/** Whether a path names a model, of whatever kind: an ONNX file, a folder with an encoder and a decoder, or a PyTorch model. */
export async function isModel(path: string): Promise<boolean> {
  const [{ isModelPath }, { partsAt }, { isHostedModel }] = await Promise.all([
    import('../model/file/foreign-files.ts'),
    import('../model/parts/find-parts.ts'),
    import('../model/hosted/model-path.ts'),
  ]);
  return isModelPath(path) || (await partsAt(path)) !== undefined || (await isHostedModel(path));
}
