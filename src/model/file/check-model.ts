import type { ModelProto } from 'onnx-buf';
import { checkFunction, checkGraph } from './check-graph.ts';
import { checkTensor } from './check-tensor.ts';
import { invalidModel, quoted } from './invalid-model.ts';
import { tensorsOf } from './walk-model.ts';

/** Versions of the file format: 3 brought operator sets by domain, 13 is the newest. */
export const irVersions = { oldest: 3n, newest: 13n } as const;

/** Whether a domain is that of the standard operators. */
export function isStandardDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** Checks what a parsed model says of itself, but not its external files. @throws INVALID_MODEL */
export function checkModel(model: ModelProto, path: string): void {
  const { oldest, newest } = irVersions;
  if (model.irVersion < oldest || model.irVersion > newest) {
    const hint = 'export the model again with a current exporter, or check that the file is an ONNX model';
    throw invalidModel(path, `IR version is ${model.irVersion}, expected ${oldest} to ${newest}`, hint);
  }
  if (model.graph === undefined) throw invalidModel(path, 'the model has no graph', 'check that the file is a complete ONNX model');
  checkOpsets(model, path);
  for (const placed of tensorsOf(model)) checkTensor(placed, path);
  checkGraph(model.graph, path);
  for (const definition of model.functions) checkFunction(definition, path);
}

function checkOpsets({ opsetImport }: ModelProto, path: string): void {
  if (opsetImport.length === 0) throw invalidModel(path, 'the model imports no operator set, expected at least one');
  const seen = new Set<string>();
  for (const { domain, version } of opsetImport) {
    const key = isStandardDomain(domain) ? '' : domain;
    if (seen.has(key)) throw invalidModel(path, `operator set ${quoted(key)} is imported twice, expected once`);
    if (version < 1n) throw invalidModel(path, `operator set ${quoted(key)} has version ${version}, expected at least 1`);
    seen.add(key);
  }
}
