import * as os from 'node:os';
import { AttnswapError } from '../contract/errors.ts';
import { oneLine } from '../text/untrusted.ts';

/** What a host is, in words that jobs are matched by: `{ gpu: 'none', os: 'linux' }`. */
export type Labels = Readonly<Record<string, string>>;

export const labelName = /^[a-z][a-z0-9._-]{0,39}$/;
export const labelValue = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$/;

/** Reads `gpu=none,rack=3`. @throws USAGE */
export function parseLabels(text: string): Labels {
  const labels: Record<string, string> = {};
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const [name = '', value = ''] = part.trim().split('=', 2);
    if (!labelName.test(name) || !labelValue.test(value)) throw usage(part, 'name=value, of letters, digits and . _ + -');
    labels[name] = value;
  }
  return labels;
}

/** What a host is without being told: system, architecture and processor. */
export function ownLabels(): Labels {
  const cpu = (os.cpus()[0]?.model ?? '').replaceAll(/[^A-Za-z0-9._+-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '');
  return { os: os.platform(), arch: os.arch(), cpu: cpu.slice(0, 80) || 'unknown' };
}

/** Which hosts: those that match every term. */
export type Selector = ReadonlyArray<{ readonly name: string; readonly pattern: RegExp }>;

/** Reads `cpu=*epyc*,gpu=none`; `host` names the host itself, `*` stands for anything, and case does not matter. @throws USAGE */
export function parseSelector(text: string): Selector {
  return text.split(',').map((part) => {
    const [name = '', value = ''] = part.trim().split('=', 2);
    if (!labelName.test(name) || !/^[A-Za-z0-9._+*-]{1,80}$/.test(value)) throw usage(part, 'label=value, where * stands for anything');
    const pattern = value.replaceAll(/[.+]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*');
    return { name, pattern: new RegExp(`^${pattern}$`, 'i') };
  });
}

export function isSelected({ name: host, labels }: { readonly name: string; readonly labels: Labels }, selector: Selector): boolean {
  return selector.every(({ name, pattern }) => pattern.test(name === 'host' ? host : (labels[name] ?? '')));
}

/** Whether one host may do the work of another. */
export function sameLabels(a: Labels, b: Labels): boolean {
  return labelsText(a) === labelsText(b);
}

export function labelsText(labels: Labels): string {
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function usage(part: string, expected: string): AttnswapError {
  return new AttnswapError('USAGE', `${JSON.stringify(oneLine(part.slice(0, 100)))} is no label, expected ${expected}`, {
    hint: 'for example gpu=none,rack=3',
  });
}
