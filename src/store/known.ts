import type { RunRecord } from '../contract/run.ts';
import { readTable } from './parquet.ts';
import { rowsOf, tableFile } from './parts.ts';
import type { StorableRecord } from './record.ts';

/** Medians of the cells that are ok, by cell. */
type Medians = ReadonlyMap<string, number | null>;

/** A run of a store that no later one continues. */
interface Head {
  readonly id: string;
  /** Cells, whatever became of them. */
  readonly cells: number;
  medians(): Promise<Medians>;
}

/** What a store holds already, and what an addition brings, as far as that decides about further records. */
export class KnownRecords {
  private readonly ids = new Set<string>();
  /** By key. Several where records of one key do not continue each other: of machines that look alike, at the same moment. */
  private readonly heads = new Map<string, Head[]>();

  /** @throws FILE_UNREADABLE, INVALID_STORE */
  static async read(parts: readonly string[]): Promise<KnownRecords> {
    const known = new KnownRecords();
    for (const { verdict } of await rowsOf(parts, 'verdicts', ['verdict'])) known.ids.add(String(verdict));
    const rows = await rowsOf(parts, 'runs', ['run', 'key', 'replaces', 'firstCell', 'cells']);
    // A compaction may have put the later state of a run before the earlier one.
    const replaced = new Set(rows.map(({ replaces }) => replaces));
    for (const row of rows) {
      const [start, cells] = [Number(row.firstCell), Number(row.cells)];
      const medians = () => storedMedians(row.part, { start, end: start + cells });
      known.ids.add(String(row.run));
      if (!replaced.has(row.run)) known.add(String(row.key), { id: String(row.run), cells, medians }, row.replaces);
    }
    return known;
  }

  /** Takes in a record that is new, with the id of the run that it continues; `known` and `superseded` ones are left. */
  async take(record: StorableRecord): Promise<{ readonly replaces: string | null } | 'known' | 'superseded'> {
    const { id, key } = record;
    if (this.ids.has(id)) return 'known';
    if (!('run' in record)) {
      this.ids.add(id);
      return { replaces: null };
    }
    const own = mediansOf(record.run);
    const cells = record.run.cells.length;
    let replaces: string | null = null;
    for (const head of this.heads.get(key) ?? []) {
      const theirs = await head.medians();
      if (cells >= head.cells && isWithin(theirs, own)) replaces = head.id;
      else if (isWithin(own, theirs)) return 'superseded';
    }
    this.add(key, { id, cells, medians: async () => own }, replaces);
    return { replaces };
  }

  private add(key: string, head: Head, replaces: unknown): void {
    this.ids.add(head.id);
    this.heads.set(key, [...(this.heads.get(key) ?? []).filter(({ id }) => id !== replaces), head]);
  }
}

async function storedMedians(part: string, rows: { start: number; end: number }): Promise<Medians> {
  const found = await readTable(tableFile(part, 'cells'), { columns: ['cell', 'status', 'medianNs'], ...rows });
  return new Map(found.flatMap(({ cell, status, medianNs }) => (status === 'ok' ? [[String(cell), medianNs as number | null]] : [])));
}

function mediansOf({ cells }: RunRecord): Medians {
  return new Map(cells.flatMap((cell) => (cell.status === 'ok' ? [[cell.id, cell.latency?.medianNs ?? null]] : [])));
}

/** Whether every figure of one is in the other, to the last digit: no two measurements share them all. */
function isWithin(some: Medians, all: Medians): boolean {
  return [...some].every(([cell, medianNs]) => all.has(cell) && all.get(cell) === medianNs);
}
