import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { statFields } from './proc-stat.ts';

/** A process for good: a number alone is used again, at once in a container that starts anew. Parts that the system does not tell are ''. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in clock ticks since the system did. */
  readonly start: string;
  /** Of which start of the system; of which host, by its name, where the system does not tell. */
  readonly boot: string;
  /** Where its number counts: containers have numbers of their own. */
  readonly namespace: string;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    start: statOf('self')?.start ?? '',
    boot: (read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll(/[^0-9a-f]/g, '')) || hostDigest()).slice(0, 16),
    namespace: read(() => readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '')),
  };
}

/** Whether a process is there still; `unknown` where its number cannot be looked up from here: in another container, or after a restart. */
export function stateOf(of: ProcessIdentity): 'alive' | 'gone' | 'unknown' {
  const own = ownIdentity();
  if (of.boot !== own.boot || of.namespace !== own.namespace) return 'unknown';
  if (of.start === '') return hasProcess(of.pid) ? 'alive' : 'gone';
  const found = statOf(of.pid);
  return found?.start === of.start && found.state !== 'Z' ? 'alive' : 'gone';
}

const order = ['pid', 'start', 'boot', 'namespace'] as const;

/** As a part of a file's name. */
export function formatIdentity(identity: ProcessIdentity): string {
  return order.map((part) => identity[part]).join('.');
}

/** What {@link formatIdentity} wrote; undefined for anything else. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^([1-9]\d{0,9})\.(\d{0,20})\.([0-9a-f]{0,16})\.(\d{0,20})$/.exec(text);
  if (match === null) return undefined;
  const [, pid = '', start = '', boot = '', namespace = ''] = match;
  return { pid: Number(pid), start, boot, namespace };
}

/** The third field and the 22nd. */
function statOf(pid: number | 'self'): { state: string; start: string } | undefined {
  const fields = statFields(read(() => readFileSync(`/proc/${pid}/stat`, 'utf8')));
  const [state = '', start = ''] = [fields[0], fields[19]];
  return start === '' ? undefined : { state, start };
}

function hostDigest(): string {
  return createHash('sha256').update(hostname()).digest('hex');
}

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function read(from: () => string): string {
  try {
    return from();
  } catch {
    return '';
  }
}
