/** What `attnswap/report` exports: reports of records, and what they are written as. */
export { auditReport } from './audit-report.ts';
export { claimsCsv } from './claims-csv.ts';
export { claimsReport } from './claims-report.ts';
export { compareRuns } from './compare-runs.ts';
export type { RunComparison, SourcedRun } from './compare-runs.ts';
export { comparedRunsCsv } from './compared-runs-csv.ts';
export { comparisonReport } from './comparison-report.ts';
export { comparisonsCsv } from './comparisons-csv.ts';
export type {
  Chart,
  ChartSpec,
  Column,
  LineList,
  PageLink,
  Part,
  Report,
  ReportKind,
  Section,
  Standing,
  Table,
  TableCell,
  Term,
  TermList,
  Tile,
} from './document.ts';
export { drawSvg } from './draw.ts';
export { reportPage } from './html/page.ts';
export { migrationReport } from './migration-report.ts';
export { chartPng } from './picture.ts';
export { readReport } from './read-report.ts';
export type { ReadReport } from './read-report.ts';
export { reportMarkdown } from './report-markdown.ts';
export { runCsv } from './run-csv.ts';
export { runReport } from './run-report.ts';
export { tuningReport } from './tuning-report.ts';
export { verdictReport } from './verdict-report.ts';
