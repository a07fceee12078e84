import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { articleClaims, claimIds } from '../claims/article/index.ts';
import type { Claim } from '../claims/claim.ts';
import type { Evidence } from '../claims/evidence.ts';
import { judgeClaim, sourceOf } from '../claims/judge.ts';
import { claimsSchemaName, evidenceKinds } from '../contract/claims.ts';
import type { ClaimsRecord } from '../contract/claims.ts';
import { AttnswapError } from '../contract/errors.ts';
import { writeJson } from '../files/json.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { recordPath } from '../journal/stored.ts';
import { builtInSuites, builtInTunings } from '../loading/built-in.ts';
import { loadDefinition } from '../loading/definition.ts';
import { nearestName } from '../variants/nearest-name.ts';
import { benchEvidence, isStored, readEvidence } from './claims-evidence.ts';
import { dimensionsOfEach } from './claims-dimensions.ts';
import { measureModel } from './claims-model.ts';
import type { OptionalData } from './data-options.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import type { MigrateOptions } from './migrate-options.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';
import { tune } from './tune.ts';

export interface ClaimsOptions extends OperationOptions, OptionalData, Pick<MigrateOptions, 'dimensions' | 'assume' | 'items' | 'threads'> {
  /** Sources of evidence: models, suites and testbeds are measured; run records and folders of migrations and tunings are read. */
  readonly subjects: readonly string[];
  /** Ids of the claims to judge; only what they need is measured. @default all */
  readonly only?: readonly string[] | undefined;
  /** Replacements to try in models. @default ['dense.fused', 'window:w=256'] */
  readonly candidates?: readonly string[] | undefined;
  /** Backend for models. @default 'onnx-cpu' */
  readonly backend?: string | undefined;
  /** Training backend for testbeds. @default the best available */
  readonly trainer?: string | undefined;
  /** Folder for the record and all results; the same options resume there. @default 'runs/<subject>.claims' */
  readonly dir?: string | undefined;
}

/** All that `claims` found, with the folder that it lies in. */
export type ClaimsResult = ClaimsRecord & { readonly folder: string };

/**
 * Checks the article's claims on the user's own models, testbeds and records: measures what is missing by `migrate`, `tune` and `bench`, and
 * judges each claim by every definition that it can be read by.
 * @throws USAGE for an unknown claim, what is not there, a model without data, data without a model, or a size of a dimension that no model has; and what those operations and reading records throw
 */
export async function claims(options: ClaimsOptions): Promise<ClaimsResult> {
  const { subjects } = options;
  const wanted = wantedClaims(options.only);
  const folder = options.dir ?? join('runs', `${stemOf(subjects[0] ?? '')}.claims`);
  const kinds = await Promise.all(subjects.map(kindOf));
  refuse(options, kinds);
  const models = subjects.filter((_, at) => kinds[at] === 'model');
  const dimensions = await dimensionsOfEach(models, options);
  await requireWritableFolder(folder);
  const startedAt = new Date().toISOString();
  // What measures tells of noise itself.
  const { tool, command, host } = await describeRun([], adaptersOf(options), { ...options, onWarning: undefined });
  const [noise, notes]: [string[], string[]] = [[], []];
  const onWarning = (warning: string) => {
    const text = warning.replace(/^noise: /, '');
    (text === warning ? notes : noise).push(text);
    options.onWarning?.(warning);
  };
  const evidence: Evidence[] = [];
  for (const [at, subject] of subjects.entries()) {
    const own = { ...options, dimensions: dimensions.get(subject), onWarning };
    evidence.push(...(await evidenceOf(subject, kinds[at]!, join(folder, stemOf(subject)), wanted, own)));
  }
  const record: ClaimsRecord = {
    schema: claimsSchemaName,
    tool,
    command,
    startedAt,
    endedAt: new Date().toISOString(),
    host,
    warnings: withoutOwnLoad([...new Set([...noise, ...evidence.flatMap(({ record: { warnings } }) => warnings)])]),
    ...(notes.length > 0 && { notes: [...new Set(notes)] }),
    sources: evidence.map(sourceOf),
    claims: wanted.map((claim) => judgeClaim(claim, evidence)),
  };
  await writeJson(recordPath(folder), record);
  return { ...record, folder };
}

/** @throws USAGE naming the claim that there is none of */
function wantedClaims(only: readonly string[] = claimIds): readonly Claim[] {
  const unknown = only.find((id) => !claimIds.includes(id));
  if (unknown === undefined) return articleClaims.filter(({ id }) => only.includes(id));
  const near = nearestName(unknown, claimIds);
  throw new AttnswapError('USAGE', `unknown claim ${JSON.stringify(unknown)}, expected one of ${claimIds.join(', ')}`, {
    hint: near === undefined ? undefined : `did you mean ${near}?`,
  });
}

type SubjectKind = 'stored' | 'suite' | 'model';

/** @throws USAGE where there is nothing of that name */
async function kindOf(subject: string): Promise<SubjectKind> {
  if (await isStored(subject)) return 'stored';
  const suites: readonly string[] = [...builtInSuites, ...builtInTunings];
  if (suites.includes(subject) || /\.[cm]?[jt]s$/.test(subject)) return 'suite';
  if (existsSync(subject) || existsSync(subject.replace(/:\w+$/, ''))) return 'model';
  const near = nearestName(subject, suites);
  throw new AttnswapError('USAGE', `claims ${subject}: there is no such file, folder or built-in suite`, {
    hint: near === undefined ? 'attnswap list shows the built-in suites' : `did you mean ${near}?`,
  });
}

/** Options that only a model has a use for, with their flags. */
const ofModels = {
  backend: 'backend',
  data: 'data',
  tokenizer: 'tokenizer',
  lengths: 'lengths',
  candidates: 'candidate',
  items: 'items',
  dimensions: 'dim',
  assume: 'assume',
} as const;

/** @throws USAGE */
function refuse({ subjects, ...options }: ClaimsOptions, kinds: readonly SubjectKind[]): void {
  if (subjects.length === 0)
    throw new AttnswapError('USAGE', 'claims: nothing named to measure', { hint: 'name a model, a suite, or a record' });
  const model = subjects[kinds.indexOf('model')];
  const example = '--data book.txt --tokenizer tokenizer.json';
  if (model !== undefined && options.data === undefined)
    throw new AttnswapError('USAGE', `claims ${model}: --data is missing`, { hint: example });
  const foreign = (Object.keys(ofModels) as ReadonlyArray<keyof typeof ofModels>).find((name) => options[name] !== undefined);
  if (model !== undefined || foreign === undefined) return;
  const named = `--${ofModels[foreign]}`;
  throw new AttnswapError('USAGE', `claims: ${named} applies only to models, and none is named`, { hint: `omit ${named}` });
}

/** The subject's records: measured where they are not there yet. */
async function evidenceOf(
  subject: string,
  kind: SubjectKind,
  folder: string,
  wanted: readonly Claim[],
  options: ClaimsOptions,
): Promise<Evidence[]> {
  if (kind === 'stored') return [await readEvidence(subject)];
  if (kind === 'suite') return [await measuredSuite(subject, folder, options)];
  const needed = new Set(
    evidenceKinds.filter((each) => wanted.some(({ definitions }) => definitions.some((one) => one[each] !== undefined))),
  );
  const { data = [], lengths = defaults.claimsLengths, candidates = defaults.claimsCandidates, dir: _, ...shared } = options;
  const until = wanted.every(({ ofOriginal }) => ofOriginal === true) ? 'baseline' : 'swap';
  return measureModel({ ...shared, model: subject, data, lengths, candidates }, { needed, until, folder });
}

/** The record of a suite of kernels, or of a testbed. */
async function measuredSuite(suite: string, folder: string, options: ClaimsOptions): Promise<Evidence> {
  const { definition } = await loadDefinition(suite, [...builtInSuites, ...builtInTunings]);
  const isTuning = typeof definition === 'object' && definition !== null && 'task' in definition;
  if (isTuning) return readEvidence((await tune({ ...options, suite, dir: join(folder, 'tuning') })).folder);
  return benchEvidence({ ...options, suite }, join(folder, 'suite.run.json'));
}

/** Of the loads that were told, only the first: what is measured later finds the load of what was measured before. */
function withoutOwnLoad(warnings: readonly string[]): string[] {
  const loads = warnings.filter((text) => text.startsWith('load average '));
  return warnings.filter((text) => !loads.includes(text) || text === loads[0]);
}

/** Of a path without its folders and its last ending. */
function stemOf(subject: string): string {
  const name = basename(subject);
  return basename(name, extname(name)).replaceAll(/[^\w.-]+/g, '_') || 'article';
}
