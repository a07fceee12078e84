import { basename, extname, join } from 'node:path';
import type { Adapter } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import { fileDigest } from '../files/digest.ts';
import { GraphSubject } from '../migration/graph-subject.ts';
import { HostedSubject } from '../migration/hosted-subject.ts';
import type { Migration } from '../migration/migration.ts';
import type { Subject } from '../migration/subject.ts';
import { usableCache, usableHostedCache } from '../migration/usable-cache.ts';
import type { UsableCache } from '../migration/usable-cache.ts';
import type { Cache } from '../model/cache/cache.ts';
import { swappableOf } from '../model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import { partsAt } from '../model/parts/find-parts.ts';
import { requireAsRead } from '../model/swap/as-read.ts';
import { openForCapture } from '../model/swap/capture.ts';
import type { CapturingModel } from '../model/swap/capture.ts';
import type { DataOptions } from './data-options.ts';
import { defaults } from './defaults.ts';
import { openFiles } from './migrated-files.ts';
import { dataFor, hostedData } from './model-data.ts';
import { hostedBackend, usingHosted } from './open-hosted.ts';
import { loadModel } from './open-model.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';

type Options = ModelOptions & DataOptions;

/** A model whose attention was found, to be captured or migrated. */
export interface FoundModel extends Pick<Migration, 'sites' | 'runner'> {
  /** What folders are named after. */
  readonly name: string;
  readonly sha256: string;
  data(): Promise<DataModule>;
  /** Opens it so that it shows what these sites read. */
  capturing(sites: readonly number[]): Promise<Pick<CapturingModel, 'capture' | 'dispose'>>;
  /** The model as it is measured, beside whatever that needs in the migration's folder. @throws UNSUPPORTED where the backend computes something else; FILE_UNWRITABLE, and as of reading it */
  open(folder: string): Promise<OpenedModel>;
}

/** It in the folder of its migration. */
export interface OpenedModel extends Pick<Migration, 'file' | 'sites'> {
  /** SHA-256 of further files that it is made of, by path. */
  readonly digests: Readonly<Record<string, string>>;
  usableCache(itemOf: () => Promise<Item>): Promise<UsableCache>;
  /** What such a model must be to be decoded through a cache. */
  readonly decodable: string;
  /** Decoded through `cache`; null where it is not. */
  subject(cache: Cache | null): Subject;
}

/** Whether a worker opens the model. A folder with an encoder and a decoder in ONNX files may hold weights for PyTorch, too. */
export async function isForWorker(model: string): Promise<boolean> {
  return (await partsAt(model)) === undefined && isHostedModel(model);
}

/** Finds a model's attention and works on it; what was opened is closed whatever becomes of that. @throws INVALID_MODEL, UNSUPPORTED, WORKER_FAILED */
export async function usingFound<Result>(options: Options, work: (found: FoundModel) => Promise<Result>): Promise<Result> {
  if (!(await isForWorker(options.model))) return work(graphModel(await loadModel(options), options));
  return usingHosted(options, async (hosted, adapter) => {
    const subject = new HostedSubject(hosted, { adapter, backend: hostedBackend(options), dimensions: options.dimensions });
    try {
      return await work(hostedModel({ hosted, subject, adapter }, options));
    } finally {
      await subject.dispose();
    }
  });
}

/** An ONNX file, or an encoder and a decoder that are measured as one. */
function graphModel(loaded: LoadedModel, options: Options): FoundModel {
  const { file, runner, sites } = loaded;
  const { model: path, seed = defaults.seed, dimensions } = options;
  return {
    sites,
    runner,
    name: basename(path, extname(path)),
    sha256: file.sha256,
    data: () => dataFor(loaded, options),
    capturing: (numbers) =>
      openForCapture(
        sites,
        numbers.map((number) => sites.swappable.get(number)!),
        file,
        runner,
      ),
    async open(folder) {
      await requireAsRead({ ...loaded, proto: file.proto, dimensions });
      const opened = await openFiles(loaded, folder, options);
      return {
        ...opened,
        usableCache: (itemOf) => usableCache({ ...opened, dimensions }, itemOf),
        decodable: 'export the model with past keys and values as inputs',
        subject: (cache) => new GraphSubject({ ...opened, cache, seed, dimensions }),
      };
    },
  };
}

/** SHA-256 of the file that says how a model computes with its parameters, which those do not tell. @throws FILE_UNREADABLE */
async function describedBy(path: string): Promise<Record<string, string>> {
  const file = /\.py:\w+$/.test(path) ? path.slice(0, path.lastIndexOf(':')) : join(path, 'config.json');
  return { [file]: await fileDigest(file) };
}

interface Hosted {
  readonly hosted: HostedModel;
  readonly subject: HostedSubject;
  readonly adapter: Adapter;
}

/** A model that a worker holds. */
function hostedModel({ hosted, subject, adapter }: Hosted, options: Options): FoundModel {
  const { path, sha256, model, sites } = hosted;
  const found = { sites, swappable: new Map(swappableOf(sites).map((number) => [number, { site: sites[number]! }])) };
  return {
    sites: found,
    runner: { adapter, backend: hostedBackend(options) },
    name: basename(path).replace(/\.py:\w+$/, ''),
    sha256,
    data: () => hostedData(model, options),
    capturing: async (numbers) => ({ capture: (feeds) => subject.capture(feeds, numbers), dispose: async () => undefined }),
    open: async () => ({
      file: { path, sha256 },
      sites: found,
      digests: await describedBy(path),
      usableCache: (itemOf) => usableHostedCache(hosted, options.dimensions ?? {}, itemOf),
      decodable: 'use a decoder of transformers whose cache keeps every token',
      subject: (cache) => subject.decodedThrough(cache),
    }),
  };
}
