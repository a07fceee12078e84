import type { Verdict } from '../contract/verdict.ts';

const suiteFile = /\.[cm]?[jt]s$/;

/**
 * The suite's file as a relative URI, where the command of a gate names one inside the working directory: its first argument, else
 * the only argument that looks like one. Undefined for built-in suites and for files elsewhere.
 */
export function suiteUri({ kind, command }: Pick<Verdict, 'kind' | 'command'>): string | undefined {
  if (kind !== 'gate') return undefined;
  const [, first = '', ...rest] = command;
  const others = rest.filter((word) => suiteFile.test(word));
  const path = suiteFile.test(first) ? first : others.length === 1 && first.startsWith('-') ? others[0]! : '';
  const steps = path
    .replaceAll('\\', '/')
    .split('/')
    .filter((step) => step !== '.');
  const elsewhere = steps.includes('..') || steps.includes('') || /^[a-z]:/i.test(path) || path.startsWith('-');
  return elsewhere ? undefined : steps.map((step) => encodeURIComponent(step.toWellFormed())).join('/');
}
