import type { Redis } from 'ioredis';
import type { CellRecord } from '../contract/cell.ts';
import { cellRecordSchema } from '../contract/cell.ts';
import { runSchemaName } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { endSchema, headSchema } from './documents.ts';
import type { End, Head, RunPlace } from './documents.ts';
import { boundedHash, cellField, fieldOf, most, opened, runKey } from './entries.ts';
import type { Keyring } from './keys.ts';

/** What one host wrote of a run. */
export interface Part {
  readonly host: string;
  /** Absent where it refused the run. */
  readonly head: Head | undefined;
  /** Those of the head's declared cells that were measured, by id. */
  readonly cells: ReadonlyMap<string, CellRecord>;
  readonly end: End | undefined;
}

export interface RunParts {
  /** Of the host that took the run first, and so on. */
  readonly parts: readonly Part[];
  /** Fields that no host in the ring signed, or that hold something else than they should. */
  readonly refused: readonly string[];
}

const fieldPattern = /^([0-9a-f]{32}):(?:head|end|cell:[0-9a-f]{16})$/;

/** Everything that was written of a run, by hosts in the ring; each entry is checked by itself. @throws INVALID_FLEET */
export async function readParts(client: Redis, place: RunPlace, ring: Keyring): Promise<RunParts> {
  const refused: string[] = [];
  const found = new Map<string, { head?: Head; end?: End; cells: Map<string, CellRecord> }>();
  for (const [field, text] of await boundedHash(client, runKey(place), most.run)) {
    const host = fieldPattern.exec(field)?.[1];
    const value = host === undefined ? undefined : opened(ring, place, field, text);
    const part = found.get(host ?? '') ?? { cells: new Map<string, CellRecord>() };
    if (host === undefined || !enter(part, field, host, value)) refused.push(field.slice(0, 100));
    else found.set(host, part);
  }
  const parts = [...found].map(([host, { head, end, cells }]) => {
    const declared = new Set(head?.declared);
    return { host, head, end, cells: new Map([...cells].filter(([id]) => declared.has(id))) };
  });
  return { parts: parts.toSorted((a, b) => (a.head?.rank ?? -1) - (b.head?.rank ?? -1)), refused };
}

function enter(part: { head?: Head; end?: End; cells: Map<string, CellRecord> }, field: string, host: string, value: unknown): boolean {
  const head = field === fieldOf(host, 'head') ? headSchema.safeParse(value).data : undefined;
  const end = field === fieldOf(host, 'end') ? endSchema.safeParse(value).data : undefined;
  if (head !== undefined) part.head = head;
  else if (end !== undefined) part.end = end;
  else {
    const cell = cellRecordSchema.safeParse(value).data;
    if (cell === undefined || cellField(host, cell.id) !== field) return false;
    part.cells.set(cell.id, cell);
  }
  return true;
}

/** A run record of what one host measured, of the given cells alone. */
export function recordOf({ head, cells, end }: Part & { readonly head: Head }, declared: readonly string[]): RunRecord {
  const { rank: _, ...rest } = head;
  const measured = declared.flatMap((id) => cells.get(id) ?? []);
  const complete = end?.outcome === 'done' && measured.length === declared.length;
  return { schema: runSchemaName, ...rest, endedAt: complete ? end.endedAt : null, complete, declared: [...declared], cells: measured };
}

/** A run as its hosts leave it. */
export interface CollectedRun {
  /** One per host that measured something; every cell is declared in one of them, and measured once at most. */
  readonly records: ReadonlyArray<{ readonly host: string; readonly record: RunRecord }>;
  /** Ids of declared cells that nobody measured. */
  readonly missing: readonly string[];
  /** What hosts said of why, and what was left out. */
  readonly reasons: readonly string[];
}

/** Makes of the parts of a run its records. Where several hosts measured a cell, the one that took the run last counts. */
export function collectRun({ parts, refused }: RunParts, sha256: string): CollectedRun {
  const ofSuite = parts.filter(hasHead).filter(({ head }) => head.suite.sha256 === sha256);
  const latest = ofSuite.toReversed();
  const declared = [...new Set(ofSuite.flatMap(({ head }) => head.declared))];
  const owners = declared.map((id) => ({
    id,
    owner: latest.find(({ cells }) => cells.has(id)) ?? latest.find(({ head }) => head.declared.includes(id)),
  }));
  const records = ofSuite.flatMap((part) => {
    const own = owners.filter(({ owner }) => owner === part).map(({ id }) => id);
    return own.some((id) => part.cells.has(id)) ? [{ host: part.host, record: recordOf(part, own) }] : [];
  });
  return {
    records,
    missing: owners.filter(({ id, owner }) => owner?.cells.has(id) !== true).map(({ id }) => id),
    reasons: [
      ...parts.flatMap(({ end }) => (end?.outcome === 'done' ? [] : (end?.reason ?? []))),
      ...(refused.length > 0 ? [`left out: ${refused.length} entries that no trusted host signed`] : []),
      ...(ofSuite.length < parts.filter(hasHead).length ? ['left out: a record of another suite'] : []),
    ],
  };
}

function hasHead(part: Part): part is Part & { readonly head: Head } {
  return part.head !== undefined;
}
