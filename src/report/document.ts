export const reportSchemaName = 'attnswap.report/1';

/** What a report is of. */
const reportKinds = ['run', 'ab', 'gate', 'calibration', 'migration', 'tuning', 'comparison', 'audit', 'claims', 'dashboard'] as const;
export type ReportKind = (typeof reportKinds)[number];

/** How the answer reads at a glance; `plain` where there is nothing to judge. */
export type Standing = 'good' | 'bad' | 'unsure' | 'plain';

/**
 * What a reader opens after a run, a comparison, a migration or a tuning, before it is HTML, Markdown or pictures. All text may come from
 * outside: every rendering escapes it.
 */
export interface Report {
  readonly schema: typeof reportSchemaName;
  readonly kind: ReportKind;
  readonly title: string;
  /** The verdict, or what was found, in a few words. */
  readonly verdict: string;
  readonly standing: Standing;
  /** What the verdict rests on: latency, peak memory, quality; none where there is nothing of the kind. */
  readonly tiles: readonly Tile[];
  /** Why, in one or two sentences. */
  readonly answer: string;
  /** What must be known before the rest is believed: that it is partial, that something failed, that hosts differ. */
  readonly alerts: readonly string[];
  readonly facts: readonly Term[];
  readonly sections: readonly Section[];
  /** The pages of the site that this one is part of. */
  readonly pages?: readonly PageLink[];
}

/** A page of a site, as another one links to it. */
export interface PageLink {
  readonly title: string;
  /** A file's name beside this page: letters, digits, hyphens and dots. */
  readonly href: string;
}

/** One figure of the first screen: before and after, how sure the change is, and how much of one is allowed. */
export interface Tile {
  /** What it is a figure of: `Peak memory`. */
  readonly name: string;
  /** At which length, of which kernel. */
  readonly of: string;
  /** `276 MB → 151 MB`, one figure, or `not compared`. */
  readonly figures: string;
  /** `−45.3 % [−46, −45]`; '' without one. */
  readonly change: string;
  /** What the change amounts to: `improvement`, `margin 5 %`. */
  readonly note: string;
  readonly standing: Standing;
  /** The change as it is drawn; absent where there is no interval. */
  readonly bar?: TileBar;
}

/** A change with its interval, all in one unit, beside the largest change for the worse that passes. */
export interface TileBar {
  readonly low: number;
  readonly estimate: number;
  readonly high: number;
  /** Signed; null where nothing is judged. */
  readonly margin: number | null;
  readonly marginText: string;
}

export interface Section {
  /** Letters, digits and hyphens: the fragment of its address. */
  readonly id: string;
  readonly title: string;
  readonly lead?: string;
  readonly parts: readonly Part[];
}

export type Part = Chart | Table | TermList | LineList;

export interface Term {
  readonly term: string;
  readonly text: string;
}

/** Names with their meaning. */
export interface TermList {
  readonly kind: 'terms';
  readonly terms: readonly Term[];
}

/** Sentences, or lines to be typed. */
export interface LineList {
  readonly kind: 'notes' | 'commands';
  readonly lines: readonly string[];
}

/** A specification of Vega-Lite, whole, with its data. */
export type ChartSpec = Readonly<Record<string, unknown>> & { readonly $schema: string };

/** A picture with what it says in words and the figures that it shows. */
export interface Chart {
  readonly kind: 'chart';
  /** Letters, digits and hyphens; unique within the report. */
  readonly id: string;
  readonly title: string;
  /** What the picture shows, for those who do not see it. */
  readonly summary: string;
  /** Whole and usable alone: the data are in it. */
  readonly spec: ChartSpec;
  readonly table: Table;
}

export interface Table {
  readonly kind: 'table';
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: ReadonlyArray<readonly TableCell[]>;
}

export interface Column {
  readonly title: string;
  /** Aligned to the right, and sorted as numbers. */
  readonly numeric?: boolean;
  /** Long texts that break into lines, so that more columns are seen. */
  readonly wraps?: boolean;
}

export interface TableCell {
  readonly text: string;
  /** What the column is sorted by; the text where absent. */
  readonly value?: number;
  readonly standing?: Standing;
  /** A page of the same site that tells more: a file's name and a fragment, of letters, digits, hyphens and dots. */
  readonly href?: string;
  /** Drawn as a small line, in order. */
  readonly line?: readonly number[];
}

/** A figure that may be missing. */
export function figureCell(value: number | null | undefined, format: (value: number) => string): TableCell {
  return value === null || value === undefined ? { text: '–' } : { text: format(value), value };
}

/** Columns of figures. */
export function numeric(...titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, numeric: true }));
}

export function words(...texts: readonly string[]): TableCell[] {
  return texts.map((text) => ({ text }));
}
