// Operations: plain options in, a record out.
export {
  ab,
  attend,
  audit,
  bench,
  calibrate,
  cancelSubmission,
  capture,
  captureTrace,
  claims,
  compactRecords,
  compare,
  conform,
  dashboard,
  doctor,
  fleetStatus,
  gate,
  history,
  joinFleet,
  list,
  listBaselines,
  listRecords,
  migrate,
  push,
  query,
  report,
  saveBaseline,
  showBaseline,
  sites,
  sitesInFolder,
  storeRecords,
  submitToFleet,
  swap,
  swapFolder,
  tune,
  waitForFleet,
  waste,
  whatif,
} from './operations/index.ts';
export type { OperationOptions, Progress } from './operations/options.ts';
export type { AbOptions, BlockOptions, CellOptions } from './operations/ab.ts';
export type { AttendOptions, AttendRecord } from './operations/attend.ts';
export type { AuditOptions } from './operations/audit.ts';
export type { SaveBaselineOptions, SavedBaseline, ShowBaselineOptions, StoreOptions } from './operations/baseline.ts';
export type { BenchOptions } from './operations/bench.ts';
export type { CalibrateOptions, CalibrationRecord } from './operations/calibrate.ts';
export type { CaptureOptions, CaptureRecord } from './operations/capture.ts';
export type { CapturedTrace, CapturedWorkload, CaptureTraceOptions } from './operations/capture-trace.ts';
export type { ClaimsOptions, ClaimsResult } from './operations/claims.ts';
export type { CompareOptions } from './operations/compare.ts';
export type { ConformOptions, ConformRecord, KernelResult, WorkerFindings } from './operations/conform.ts';
export type { DataOptions, OptionalData } from './operations/data-options.ts';
export type { DashboardOptions, DashboardRecord } from './operations/dashboard.ts';
export type { DoctorOptions, DoctorRecord } from './operations/doctor.ts';
export type { JoinedHost, JoinFleetOptions, QueueAddress, Taken } from './operations/fleet-join.ts';
export type { CancelOptions, FleetHost, FleetStatus, FleetSubmission } from './operations/fleet-status.ts';
export type { SubmitOptions, SubmittedRuns } from './operations/fleet-submit.ts';
export type { FetchedRecord, FetchedRun, FleetResult, WaitForFleetOptions } from './operations/fleet-wait.ts';
export type { GateOptions } from './operations/gate.ts';
export type { HistoryOptions, HistoryRecord, LatencyChange, Series } from './operations/history.ts';
export type { Described, ListedVariant, ListOptions, ListRecord } from './operations/list.ts';
export type { MigrationRecord } from './operations/migrate.ts';
export type { MigrateOptions } from './operations/migrate-options.ts';
export type { ModelOptions } from './operations/open-model.ts';
export type { PushOptions, PushRecord } from './operations/push.ts';
export type { QueryOptions, QueryResult } from './operations/query.ts';
export type { ReportOptions, ReportRecord } from './operations/report.ts';
export type { FailedModel, SitesOptions, SitesRecord } from './operations/sites.ts';
export type { SiteChange } from './operations/checked-swap.ts';
export type { FolderSwapRecord } from './operations/swap-folder.ts';
export type { SwapOptions, SwapRecord } from './operations/swap.ts';
export type {
  AddedFile,
  CompactOptions,
  Compaction,
  ListedRun,
  ListedVerdict,
  StoredRecords,
  StoreRecordsOptions,
} from './operations/store.ts';
export type { TuneOptions, TuningRecord } from './operations/tune.ts';
export type { WasteOptions, WasteRecord } from './operations/waste.ts';
export type { Predicted, WhatIfOptions, WhatIfRecord } from './operations/whatif.ts';

// What records are made of.
export type { Baseline } from './compare/baseline.ts';
export type { Calibration } from './compare/calibration.ts';
export type { CaseFinding, Conformance } from './conformance/check-kernel.ts';
export type { BackendSupport, Support as KernelSupport } from './conformance/support.ts';
export type { AuditFinding, AuditPoint, AuditRecord, AuditVerdict } from './contract/audit.ts';
export type { CellRecord, CellSpec } from './contract/cell.ts';
export type { ClaimDefinition, ClaimFigure, ClaimsRecord, ClaimStanding, ClaimVerdict, JudgedClaim } from './contract/claims.ts';
export type { Device } from './contract/device.ts';
export type { RunRecord } from './contract/run.ts';
export type { Block, ComparedFigure, Comparison, Effect, Metric, Outcome, Verdict } from './contract/verdict.ts';
export type { RunOutcome } from './fleet/documents.ts';
export type { Labels } from './fleet/labels.ts';
export type { Fingerprint } from './measure/fingerprint.ts';
export type { Host } from './measure/host-schema.ts';
export type { CandidateDecode, CandidateResult } from './migration/candidate.ts';
export type { CandidateQualities } from './migration/candidate-quality.ts';
export type { ComparisonAtLength, MigrationDecision } from './migration/decide.ts';
export type { FinalResult } from './migration/final-phase.ts';
export type { Goal, MigrationSettings, Phase, RecoverySettings } from './migration/migration.ts';
export type { CandidateQuality } from './migration/quality-of.ts';
export type { AttentionScaling, RankCost, Scaling } from './migration/scaling.ts';
export type { SwapOnItems } from './migration/swap-on-items.ts';
export type { ComparedRun, OutputComparison } from './model/swap/compare-outputs.ts';
export type { SiteComparison } from './model/swap/compare-sites.ts';
export type { SwapProof } from './model/swap/prove.ts';
export type { Assumption, Site } from './model/sites/site.ts';
export type { ProtocolFinding } from './protocol/check-protocol.ts';
export type { QualityJudgement } from './quality/judgement.ts';
export type { ComparedCell, ComparedColumn, ComparedRecord, ComparedRow, RefusedColumn, RunComparison } from './report/compare-runs.ts';
export type { Difference } from './report/comparison/differences.ts';
export type { Report } from './report/document.ts';
export type { MeanEstimate } from './statistics/student.ts';
export type { Ablation } from './tuning/ablate.ts';
export type { AttentionWaste } from './tuning/attention-waste.ts';
export type { SeedDifference } from './tuning/difference.ts';
export type { FinishedTrial } from './tuning/finish-trial.ts';
export type { TrialSearch } from './tuning/search.ts';
export type { Trial } from './tuning/trial.ts';
export type { TunedCandidate } from './tuning/tune-testbed.ts';
export type { CaseSet } from './variants/case-sets.ts';
export type { Bound } from './variants/roofline.ts';
export type { WasteFigure, WasteFigures } from './waste/schema.ts';

// What a data module scores translations by.
export { corpusBleu, sentenceBleu } from './quality/translation/bleu.ts';
export { corpusChrf, sentenceChrf } from './quality/translation/chrf.ts';
export type { Translation } from './quality/translation/ngrams.ts';

// What a user writes: suites, data modules, errors.
export { AttnswapError } from './contract/errors.ts';
export type { ErrorCode } from './contract/errors.ts';
export { defineSuite } from './contract/suite.ts';
export type { Gate, Suite, SuiteDefinition } from './contract/suite.ts';
export { defineTuning } from './contract/tuning.ts';
export type { Tuning, TuningDefinition } from './contract/tuning.ts';
export type { DataModule, Item, RunnableModel } from './contract/data.ts';
export type { KeyGroup, SiteKeyGroup } from './contract/key-groups.ts';
export type { Tensor, TensorData, Tensors, TensorType } from './contract/tensor.ts';

// An adapter, and what it needs; attnswap's own are in attnswap/adapters.
export type {
  Adapter,
  AdapterEntry,
  BackendStatus,
  BoundModel,
  CeilingProbe,
  Dispatch,
  DispatchedOperator,
  Gradients,
  KernelDescription,
  KernelGraphRequest,
  KernelRequest,
  ModelInput,
  ModelRequest,
  OpenModel,
  PreparedKernel,
  Unsupported,
} from './contract/adapter.ts';
export type { AttentionInputs, BiasTensor, GateTensors } from './contract/inputs.ts';
export type { ModelAttention, PlacedAttention, SavedAttention, SeenModule } from './contract/model-attention.ts';
export type { DType, Shape } from './contract/shape.ts';
export type { Span } from './contract/span.ts';
export type { Testbed } from './contract/testbed.ts';
export type { EpochResult, ItemScores, LayerAttention, OptimizerOptions, Teacher, Training, TrainRequest } from './contract/training.ts';
export type {
  HeadAddress,
  HeadOutputs,
  HeadRows,
  Knob,
  Parameters,
  Pool,
  RecurrentDefinition,
  Row,
  Selectivity,
  Specification,
  Variant,
  WeighingDefinition,
  Work,
} from './contract/variant.ts';
