import type { AuditRecord } from '../contract/audit.ts';
import type { RunRecord } from '../contract/run.ts';
import type { Verdict } from '../contract/verdict.ts';
import type { Baseline } from '../compare/baseline.ts';
import type { RunComparison } from '../report/compare-runs.ts';
import type { AbOptions } from './ab.ts';
import type { AttendOptions, AttendRecord } from './attend.ts';
import type { AuditOptions } from './audit.ts';
import type { SavedBaseline, SaveBaselineOptions, ShowBaselineOptions, StoreOptions } from './baseline.ts';
import type { BenchOptions } from './bench.ts';
import type { CalibrateOptions, CalibrationRecord } from './calibrate.ts';
import type { CaptureOptions, CaptureRecord } from './capture.ts';
import type { CapturedTrace, CaptureTraceOptions } from './capture-trace.ts';
import type { ClaimsOptions, ClaimsResult } from './claims.ts';
import type { CompareOptions } from './compare.ts';
import type { ConformOptions, ConformRecord } from './conform.ts';
import type { DashboardOptions, DashboardRecord } from './dashboard.ts';
import type { DoctorOptions, DoctorRecord } from './doctor.ts';
import type { JoinFleetOptions, QueueAddress, Taken } from './fleet-join.ts';
import type { CancelOptions, FleetStatus } from './fleet-status.ts';
import type { SubmitOptions, SubmittedRuns } from './fleet-submit.ts';
import type { FleetResult, WaitForFleetOptions } from './fleet-wait.ts';
import type { GateOptions } from './gate.ts';
import type { HistoryOptions, HistoryRecord } from './history.ts';
import type { ListOptions, ListRecord } from './list.ts';
import type { MigrationRecord } from './migrate.ts';
import type { MigrateOptions } from './migrate-options.ts';
import type { PushOptions, PushRecord } from './push.ts';
import type { QueryOptions, QueryResult } from './query.ts';
import type { ReportOptions, ReportRecord } from './report.ts';
import type { FailedModel, SitesOptions, SitesRecord } from './sites.ts';
import type { FolderSwapRecord } from './swap-folder.ts';
import type { AddedFile, CompactOptions, Compaction, StoredRecords, StoreRecordsOptions } from './store.ts';
import type { SwapOptions, SwapRecord } from './swap.ts';
import type { TuneOptions, TuningRecord } from './tune.ts';
import type { WhatIfOptions, WhatIfRecord } from './whatif.ts';
import type { WasteOptions, WasteRecord } from './waste.ts';

// Each loads what it needs when it is called: whoever imports all of them pays for none.

/** Finds the attention in an ONNX or PyTorch model: what each site does, and whether it can be swapped. */
export async function sites(options: SitesOptions): Promise<SitesRecord> {
  return (await import('./sites.ts')).sites(options);
}

/** The same for every .onnx file below a folder; a file that fails does not stop the others. */
export async function sitesInFolder(options: SitesOptions): Promise<ReadonlyArray<SitesRecord | FailedModel>> {
  return (await import('./sites.ts')).sitesInFolder(options);
}

/** Writes a model with other attention at the chosen sites, and proves that nothing else changed. */
export async function swap(options: SwapOptions): Promise<SwapRecord> {
  return (await import('./swap.ts')).swap(options);
}

/** The same for the files of an encoder–decoder model: `model` and `out` are folders. */
export async function swapFolder(options: SwapOptions): Promise<FolderSwapRecord> {
  return (await import('./swap-folder.ts')).swapFolder(options);
}

/** Writes the queries, keys and values of sites on real input, one safetensors file per site and item. */
export async function capture(options: CaptureOptions): Promise<CaptureRecord> {
  return (await import('./capture.ts')).capture(options);
}

/** Writes the requests of a FlashInfer trace as captured inputs, one safetensors file each. */
export async function captureTrace(options: CaptureTraceOptions): Promise<CapturedTrace> {
  return (await import('./capture-trace.ts')).captureTrace(options);
}

/** Takes a model through baseline, swap and tuning to a verdict; resumes from what its folder holds. */
export async function migrate(options: MigrateOptions): Promise<MigrationRecord> {
  return (await import('./migrate.ts')).migrate(options);
}

/** Trains a testbed with dense attention and with every candidate, and compares the results; resumes from what its folder holds. */
export async function tune(options: TuneOptions): Promise<TuningRecord> {
  return (await import('./tune.ts')).tune(options);
}

/** Measures a suite, each cell in its own process. An interrupted run gives a record with `complete: false`. */
export async function bench(options: BenchOptions): Promise<RunRecord> {
  return (await import('./bench.ts')).bench(options);
}

/** Compares the latency of two cells, or two models, in blocks of fresh process pairs. */
export async function ab(options: AbOptions): Promise<Verdict> {
  return (await import('./ab.ts')).ab(options);
}

/** Checks whether a kernel, a model or a Python function skips the work it does not need, or only masks it. */
export async function audit(options: AuditOptions): Promise<AuditRecord> {
  return (await import('./audit.ts')).audit(options);
}

/** Checks an article's claims about attention on your own models, testbeds and records. */
export async function claims(options: ClaimsOptions): Promise<ClaimsResult> {
  return (await import('./claims.ts')).claims(options);
}

/** Measures a suite and judges the gates that it declares. */
export async function gate(options: GateOptions): Promise<Verdict> {
  return (await import('./gate.ts')).gate(options);
}

/** A/A: compares equal arms of a suite's timed cells, and stores the smallest change this host can detect. */
export async function calibrate(options?: CalibrateOptions): Promise<CalibrationRecord> {
  return (await import('./calibrate.ts')).calibrate(options);
}

/** Stores runs as a baseline, with who, when and why. */
export async function saveBaseline(options: SaveBaselineOptions): Promise<SavedBaseline> {
  return (await import('./baseline.ts')).saveBaseline(options);
}

/** Every stored baseline. */
export async function listBaselines(options?: StoreOptions): Promise<readonly Baseline[]> {
  return (await import('./baseline.ts')).listBaselines(options);
}

/** A baseline's stored runs, each with who, when and why. */
export async function showBaseline(options: ShowBaselineOptions): Promise<Baseline> {
  return (await import('./baseline.ts')).showBaseline(options);
}

/** Compares run records of machines, runtimes or versions side by side: what differs, then ratios with intervals. No verdict. */
export async function compare(options: CompareOptions): Promise<RunComparison> {
  return (await import('./compare.ts')).compare(options);
}

/** Finds when latency changed over runs, host by host, and between which two runs. */
export async function history(options: HistoryOptions = {}): Promise<HistoryRecord> {
  return (await import('./history.ts')).history(options);
}

/** Adds run records and verdicts to the store, all of them or none, each once. */
export async function storeRecords(options: StoreRecordsOptions): Promise<readonly AddedFile[]> {
  return (await import('./store.ts')).storeRecords(options);
}

/** Lists what is in the store, oldest first. */
export async function listRecords(options?: StoreOptions): Promise<StoredRecords> {
  return (await import('./store.ts')).listRecords(options);
}

/** Joins the small parts of the store into one, so that reading opens fewer files. */
export async function compactRecords(options?: CompactOptions): Promise<Compaction> {
  return (await import('./store.ts')).compactRecords(options);
}

/** Answers a SELECT over the store; needs the package `@duckdb/node-api`. */
export async function query(options: QueryOptions): Promise<QueryResult> {
  return (await import('./query.ts')).query(options);
}

/** Writes the store as static pages, which open from the disk and load nothing. */
export async function dashboard(options: DashboardOptions): Promise<DashboardRecord> {
  return (await import('./dashboard.ts')).dashboard(options);
}

/** Runs one attention on your own tensors, checks it against float64, and writes the output to a file. */
export async function attend(options: AttendOptions): Promise<AttendRecord> {
  return (await import('./attend.ts')).attend(options);
}

/** Measures the wasted attention of one variant on your own tensors, overall and per head. */
export async function waste(options: WasteOptions): Promise<WasteRecord> {
  return (await import('./waste.ts')).waste(options);
}

/** Computes the least time attention could take on a device from its declared peak rates; nothing is run. */
export async function whatif(options: WhatIfOptions): Promise<WhatIfRecord> {
  return (await import('./whatif.ts')).whatif(options);
}

/** Lists the built-in suites and testbeds, variants, backends and metrics. */
export async function list(options?: ListOptions): Promise<ListRecord> {
  return (await import('./list.ts')).list(options);
}

/** Reports what this machine can run, what it cannot and why, and the command that fixes it. */
export async function doctor(options?: DoctorOptions): Promise<DoctorRecord> {
  return (await import('./doctor.ts')).doctor(options);
}

/** Checks whether workers follow the protocol, and whether every kernel agrees with the float64 reference. */
export async function conform(options?: ConformOptions): Promise<ConformRecord> {
  return (await import('./conform.ts')).conform(options);
}

/** Renders a run, a verdict, an audit, a migration, a tuning or claims as a report, and writes it. */
export async function report(options: ReportOptions): Promise<ReportRecord> {
  return (await import('./report.ts')).report(options);
}

/** Sends the figures of a run or a verdict to a monitoring system: OTLP (optional packages of OpenTelemetry), or OpenMetrics text. */
export async function push(options: PushOptions): Promise<PushRecord> {
  return (await import('./push.ts')).push(options);
}

/** Makes this machine a worker of a fleet, until the signal is aborted; needs the packages `bullmq` and `ioredis`, as do the next four. */
export async function joinFleet(options: JoinFleetOptions): Promise<Taken> {
  return (await import('./fleet-join.ts')).joinFleet(options);
}

/** Queues runs of a suite for the hosts of a fleet. */
export async function submitToFleet(options: SubmitOptions): Promise<SubmittedRuns> {
  return (await import('./fleet-submit.ts')).submitToFleet(options);
}

/** Waits until a submission has ended, and writes one run record per host and repeat, complete or with the missing cells named. */
export async function waitForFleet(options: WaitForFleetOptions): Promise<FleetResult> {
  return (await import('./fleet-wait.ts')).waitForFleet(options);
}

/** Lists the hosts and submissions of a fleet. */
export async function fleetStatus(options: QueueAddress): Promise<FleetStatus> {
  return (await import('./fleet-status.ts')).fleetStatus(options);
}

/** Removes the runs of a submission that have not started from the queue, and returns how many there were. */
export async function cancelSubmission(options: CancelOptions): Promise<number> {
  return (await import('./fleet-status.ts')).cancelSubmission(options);
}
