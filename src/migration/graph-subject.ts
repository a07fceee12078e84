import { join } from 'node:path';
import type { Dispatch, OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import type { Tensors } from '../contract/tensor.ts';
import { requireCache } from '../model/cache/require-cache.ts';
import { readOnnxFile, writeOnnxFile } from '../model/file/onnx-file.ts';
import { openBytes, openProto, usingModel } from '../model/file/open-proto.ts';
import { requireAsRead } from '../model/swap/as-read.ts';
import { openForCapture } from '../model/swap/capture.ts';
import type { CapturedCall } from '../model/swap/capture.ts';
import { compareSites } from '../model/swap/compare-sites.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { candidateProto } from './graph.ts';
import type { Graph } from './graph.ts';
import { recalibrateNorms } from './recalibrate.ts';
import { requireRight } from './subject.ts';
import type { ModelCandidate, NormValues, Subject } from './subject.ts';

/** An ONNX model: each candidate is a file of its own. */
export class GraphSubject implements Subject {
  readonly ending = '.onnx';
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  async open(candidate?: ModelCandidate): Promise<OpenModel> {
    const { file, sites, runner } = this.#graph;
    return openProto(candidate === undefined ? sites.proto : candidateProto(this.#graph, candidate), file, runner);
  }

  capture(feeds: Tensors): Promise<ReadonlyMap<number, CapturedCall>> {
    const { file, sites, runner } = this.#graph;
    return usingModel(openForCapture(sites, [...sites.swappable.values()], file, runner), (model) => model.capture(feeds));
  }

  async write(candidate: ModelCandidate, path: string): Promise<SwapProof> {
    const { file, sites, runner, seed, dimensions, cache, files } = this.#graph;
    const { replacements, norms = {} } = candidate;
    const proto = candidateProto(this.#graph, candidate);
    await requireAsRead({ proto, isNew: true, sites, file, runner, dimensions });
    requireRight(await compareSites(file, { sites, swapped: proto, replacements, seed }, runner, dimensions));
    await requireCache(proto, cache, file, runner);
    await files?.check(replacements);
    await writeOnnxFile(path, proto, file);
    return proveUnchanged(sites.proto, (await readOnnxFile(path)).proto, new Set(Object.keys(norms)));
  }

  async adopt({ replacements }: ModelCandidate, { path, folder }: { readonly path: string; readonly folder: string }): Promise<string> {
    const { files } = this.#graph;
    if (files !== undefined) {
      const model = join(folder, 'migrated');
      await files.write(replacements, model);
      return model;
    }
    const model = join(folder, 'migrated.onnx');
    // Not a copy of the file alone: a model may have its weights beside it.
    const written = await readOnnxFile(path);
    await writeOnnxFile(model, written.proto, written);
    return model;
  }

  dispatch(path: string, feeds: Tensors): Promise<Dispatch | null> {
    const { runner } = this.#graph;
    return usingModel(openBytes(path, runner, 'latency'), async (model) => (await model.bind(feeds).dispatch?.()) ?? null);
  }

  async norms(candidate: ModelCandidate, items: readonly Item[]): Promise<NormValues> {
    // Norms that are calibrated in the model as one are not those of each file.
    return this.#graph.files === undefined ? recalibrateNorms(this.#graph, candidate, items) : {};
  }
}
