import { basename, extname } from 'node:path';
import type { Adapter } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import { GraphSubject } from '../migration/graph-subject.ts';
import type { HostedSubject } from '../migration/hosted-subject.ts';
import type { Migration } from '../migration/migration.ts';
import type { Subject } from '../migration/subject.ts';
import { usableCache, usableHostedCache } from '../migration/usable-cache.ts';
import type { UsableCache } from '../migration/usable-cache.ts';
import type { Cache } from '../model/cache/cache.ts';
import { swappableOf } from '../model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { requireAsRead } from '../model/swap/as-read.ts';
import type { DataOptions } from './data-options.ts';
import { defaults } from './defaults.ts';
import { openFiles } from './migrated-files.ts';
import { dataFor, hostedData } from './model-data.ts';
import { hostedBackend } from './open-hosted.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';

type Options = ModelOptions & DataOptions;

/** A model that is to be migrated, its attention found. */
export interface MigratedModel extends Pick<Migration, 'sites' | 'runner'> {
  /** What the migration's folder is named after. */
  readonly name: string;
  data(): Promise<DataModule>;
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

/** An ONNX file, or an encoder and a decoder that are measured as one. */
export function graphModel(loaded: LoadedModel, options: Options): MigratedModel {
  const { model: path, seed = defaults.seed, dimensions } = options;
  return {
    ...loaded,
    name: basename(path, extname(path)),
    data: () => dataFor(loaded, options),
    async open(folder) {
      await requireAsRead({ ...loaded, proto: loaded.file.proto, dimensions });
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

interface Hosted {
  readonly hosted: HostedModel;
  readonly subject: HostedSubject;
  readonly adapter: Adapter;
}

/** A model that a worker holds. */
export function hostedModel({ hosted, subject, adapter }: Hosted, options: Options): MigratedModel {
  const { path, sha256, model, sites } = hosted;
  const found = { sites, swappable: new Map(swappableOf(sites).map((number) => [number, { site: sites[number]! }])) };
  return {
    sites: found,
    runner: { adapter, backend: hostedBackend(options) },
    name: basename(path).replace(/\.py:\w+$/, ''),
    data: () => hostedData(model, options),
    open: async () => ({
      file: { path, sha256 },
      sites: found,
      digests: {},
      usableCache: (itemOf) => usableHostedCache(hosted, options.dimensions ?? {}, itemOf),
      decodable: 'use a decoder of transformers whose cache keeps every token',
      subject: (cache) => subject.decodedThrough(cache),
    }),
  };
}
