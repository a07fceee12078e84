import { join } from 'node:path';
import type { Adapter, BoundModel, OpenModel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining, PlacedAttentions } from '../contract/model-attention.ts';
import type { Tensors } from '../contract/tensor.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { toolVersion } from '../loading/version.ts';
import type { Cache } from '../model/cache/cache.ts';
import { requireCacheOf } from '../model/cache/require-cache.ts';
import { captureHosted } from '../model/hosted/capture-hosted.ts';
import { compareHostedSites, placedAt } from '../model/hosted/compare-hosted.ts';
import { openHosted, swappableOf } from '../model/hosted/find-hosted-sites.ts';
import type { HostedModel } from '../model/hosted/find-hosted-sites.ts';
import { proveHosted } from '../model/hosted/prove-hosted.ts';
import type { CapturedCall } from '../model/swap/capture.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { LostWorkerError } from '../protocol/read-reply.ts';
import { swapFileEnding, writeSwapFile } from '../protocol/swap-file.ts';
import { continueTraining } from '../protocol/worker-ranks.ts';
import { requireRight } from './subject.ts';
import type { CandidateRanks, ModelCandidate, NormValues, RanksOptions, Subject } from './subject.ts';

interface Opening {
  readonly adapter: Adapter;
  readonly backend: string;
  /** Sizes of dynamic dimensions, for small runs on drawn inputs. */
  readonly dimensions?: DimensionSizes | undefined;
}

type Opened = HostedModel['model'];

/** What is put into the model. */
interface Put {
  readonly placed: PlacedAttentions;
  readonly adapters?: string | undefined;
}

/**
 * A model that one worker holds for all that is not timed: attention is put into it and taken out again. A candidate's file says what stands
 * at which module; who times it opens the model in a worker of its own.
 */
export class HostedSubject implements Subject {
  readonly ending = swapFileEnding;
  readonly #hosted: HostedModel;
  readonly #opening: Opening;
  #cache: Cache | null = null;
  #model: Opened | undefined;
  /** What stands in it, as JSON. */
  #put: string | undefined;

  constructor(hosted: HostedModel, opening: Opening) {
    this.#hosted = hosted;
    this.#model = hosted.model;
    this.#opening = opening;
  }

  /** Candidates are refused where they do not hand on this cache. */
  decodedThrough(cache: Cache | null): this {
    this.#cache = cache;
    return this;
  }

  async open(candidate?: ModelCandidate): Promise<OpenModel> {
    const put = this.#putOf(candidate);
    const bind = (feeds: Tensors): BoundModel => {
      let bound = this.#hosted.model.bind(feeds);
      const run = (model: Opened) => (bound = model.bind(feeds)).run();
      return { run: () => this.#using(put, run), outputs: () => bound.outputs() };
    };
    return { inputs: this.#hosted.model.inputs, bind, dispose: async () => undefined };
  }

  async capture(feeds: Tensors, wanted: readonly number[] = swappableOf(this.#hosted.sites)): Promise<ReadonlyMap<number, CapturedCall>> {
    return this.#using({ placed: {} }, (model) => captureHosted(model, this.#hosted.sites, wanted, feeds));
  }

  write(candidate: ModelCandidate, path: string): Promise<SwapProof> {
    const put = this.#putOf(candidate);
    return this.#using(put, async (model) => {
      const hosted = { ...this.#hosted, model };
      requireRight(await compareHostedSites(hosted, candidate.replacements, this.#opening.dimensions));
      // The comparison is of attention alone: it left no trained parts in the model.
      await model.attention.swap(put.placed, put.adapters);
      if (this.#cache !== null) await requireCacheOf(model, this.#cache);
      const proof = await proveHosted(hosted);
      await writeSwapFile(path, { source: hosted.path, ...put });
      return proof;
    });
  }

  async adopt(candidate: ModelCandidate, { folder }: { readonly folder: string }): Promise<string> {
    const out = join(folder, 'migrated');
    const put = this.#putOf(candidate);
    const saving = { ...put, source: this.#hosted.path, version: await toolVersion() };
    await this.#using(put, ({ attention }) => attention.save(out, saving));
    return out;
  }

  async train(candidate: ModelCandidate, training: AdapterTraining) {
    const { placed } = this.#putOf(candidate);
    const done = await this.#using({ placed }, ({ attention }) => attention.train(placed, training), 'training');
    // It left the model as it was opened.
    this.#put = undefined;
    return done;
  }

  async openRanks(candidate: ModelCandidate, options: RanksOptions): Promise<CandidateRanks> {
    const { adapter, backend } = this.#opening;
    const { placed } = this.#putOf(candidate);
    if (adapter.openRanks === undefined)
      throw new AttnswapError('UNSUPPORTED', `${adapter.name} does not train on several ranks`, { hint: 'omit --ranks' });
    // Ranks need the memory that it takes; it is opened anew when it is needed.
    await this.dispose();
    const ranks = await adapter.openRanks({ backend, model: this.#hosted.path, ...options });
    const train: CandidateRanks['train'] = async (training) => {
      // What was judged between two trainings has opened it.
      await this.dispose();
      return ranks.train(placed, training);
    };
    return { ...ranks, train };
  }

  /** Which norm follows which attention is not known of modules. */
  async norms(): Promise<NormValues> {
    return {};
  }

  /** Ends the worker. */
  async dispose(): Promise<void> {
    const model = this.#model;
    this.#model = this.#put = undefined;
    await model?.dispose();
  }

  #putOf(candidate: ModelCandidate | undefined): Put {
    return candidate === undefined
      ? { placed: {} }
      : { placed: placedAt(this.#hosted, candidate.replacements), adapters: candidate.adapters };
  }

  /** Works on the model with some attention in place. Whatever fails may have ended the worker, so that the next call opens the model anew. */
  async #using<Result>(put: Put, work: (model: Opened) => Promise<Result>, doing?: string): Promise<Result> {
    try {
      return await work(await this.#with(put));
    } catch (error) {
      await this.dispose();
      if (!(error instanceof AttnswapError) || error.code !== 'WORKER_FAILED') throw error;
      if (error instanceof LostWorkerError) throw interrupted(error, doing);
      // What is wrong with a candidate ends the candidate, not the migration.
      if (Object.keys(put.placed).length === 0) throw error;
      throw new AttnswapError('UNSUPPORTED', error.message, { cause: error });
    }
  }

  async #with(put: Put): Promise<Opened> {
    const { adapter, backend } = this.#opening;
    const model = (this.#model ??= await openHosted(this.#hosted.path, adapter, backend));
    const wanted = JSON.stringify(put);
    if (this.#put !== wanted) await model.attention.swap(put.placed, put.adapters);
    this.#put = wanted;
    return model;
  }
}

/** An error of a worker that is gone, with how to go on. */
function interrupted(error: AttnswapError, doing: string | undefined): AttnswapError {
  const message = doing === undefined ? error.message : `${doing}: ${error.message}`;
  const goOn = doing === undefined ? 'run the same command to continue' : continueTraining;
  const hint = `${goOn}; if it happens again, it is too much for this machine: check its free memory, or leave the candidate out`;
  return new AttnswapError('WORKER_FAILED', message, { hint, cause: error });
}
