/** Shares of a row's mass that `wastedCompute` asks for: the names of its figures and their p. */
export const massShares = { p90: 0.9, p95: 0.95, p99: 0.99 } as const;
/** Relative errors that `wastedComputeAtError` allows: the names of its figures and their e. */
export const errorBudgets = { e01: 0.01, e05: 0.05 } as const;

export type MassShare = keyof typeof massShares;
export type ErrorBudget = keyof typeof errorBudgets;

export const massShareNames = ['p90', 'p95', 'p99'] as const satisfies readonly MassShare[];

/** What `read` gives for each share of the mass. */
export function byMassShare<Value>(read: (share: MassShare) => Value): Record<MassShare, Value> {
  return { p90: read('p90'), p95: read('p95'), p99: read('p99') };
}

/** The strictest last: a prefix that meets it met the others before. */
export const errorBudgetNames = ['e05', 'e01'] as const satisfies readonly ErrorBudget[];

/** What every row is measured for with and without the first token. */
const wasteColumns = [
  // Rows that see something, and those of them whose relevant keys are known.
  'seeingRows',
  'labelledRows',
  'weightedPairs',
  'wastedPairs.p90',
  'wastedPairs.p95',
  'wastedPairs.p99',
  'wastedPairs.e01',
  'wastedPairs.e05',
  'wastedMass',
  'labelledWaste',
] as const;

/** The sums that all figures are ratios of: one value a row in each. */
export const columnNames = [
  'rows',
  'denseRows',
  ...wasteColumns,
  'keptPairs.p90',
  'keptPairs.p95',
  'keptPairs.p99',
  'effectiveKeys.entropy',
  'effectiveKeys.participation',
  'missedMass',
  'pooledMass',
  'firstTokenMass',
  'localMass',
  ...wasteColumns.map((name) => `withoutFirst.${name}` as const),
] as const;
export type Column = (typeof columnNames)[number];

const indexOfColumn = Object.fromEntries(columnNames.map((name, index) => [name, index])) as Record<Column, number>;

export function columnIndex(name: Column): number {
  return indexOfColumn[name];
}

/** The measures of a head's rows, `[rows, columns]`, the named ones and `more`: each row's values times the number of rows that it stands for. */
export class RowTable {
  readonly values: Float64Array;
  readonly columns: number;
  #row = -1;
  #weight = 0;

  constructor(rows: number, more = 0) {
    this.columns = columnNames.length + more;
    this.values = new Float64Array(rows * this.columns);
  }

  /** Starts the next row, which stands for `weight` rows. */
  startRow(weight: number): void {
    this.#row += 1;
    this.#weight = weight;
    this.put('rows', 1);
  }

  put(name: Column, value: number): void {
    this.values[this.#row * this.columns + indexOfColumn[name]] = value * this.#weight;
  }

  /** Puts what follows the named columns. */
  putMore(values: Float64Array): void {
    const start = this.#row * this.columns + columnNames.length;
    for (const [at, value] of values.entries()) this.values[start + at] = value * this.#weight;
  }

  /** Repeats the measures with the first token as those without it. */
  copyToWithoutFirst(): void {
    const start = this.#row * this.columns;
    for (const name of wasteColumns) {
      this.values[start + indexOfColumn[`withoutFirst.${name}`]] = this.values[start + indexOfColumn[name]]!;
    }
  }
}
