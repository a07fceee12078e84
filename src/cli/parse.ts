import { InvalidArgumentError } from 'commander';
import type { RecoverySettings } from '../migration/migration.ts';
import type { Assumption } from '../model/sites/site.ts';

/** A whole number. */
export function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`expected a whole number ≥ ${least}`);
    return value;
  };
}

/** Below this a percentage is likely meant as a share: 0.05 for 5 %. */
const leastPercentage = 0.1;

/** Percent, with or without its sign, as a share: 5 is 0.05. A number so small that a share may be meant is asked back; `0.05%` says what it is. */
export function percentage(text: string): number {
  const [, number = '', sign] = /^(.*?)\s*(%?)$/.exec(text.trim()) ?? [];
  const value = number === '' ? NaN : Number(number);
  if (!(value > 0 && value <= 1000)) throw new InvalidArgumentError('expected a percentage, above 0 and at most 1000');
  if (value >= leastPercentage || sign === '%') return value / 100;
  const whole = Number((100 * value).toPrecision(6));
  throw new InvalidArgumentError(`this is a percentage: write ${whole} for ${whole} %, or ${number}% if you mean a value that small`);
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 600)) throw new InvalidArgumentError('expected seconds, above 0 and at most 600');
  return value;
}

/** `name=size`, with those before. */
export function dimension(text: string, before: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> {
  const [, name = '', size = ''] = /^(.+)=(\d+)$/.exec(text) ?? [];
  if (!(Number(size) > 0)) throw new InvalidArgumentError('expected name=size, such as sequence=128');
  return { ...before, [name]: Number(size) };
}

/** `mask=none`, `mask=causal` or `mask=padding:<input>`. */
export function assumption(text: string): Assumption {
  const [, mask, input] = /^mask=(none|causal|padding)(?::(.+))?$/.exec(text) ?? [];
  if ((mask === 'none' || mask === 'causal') && input === undefined) return { mask };
  if (mask === 'padding' && input !== undefined) return { mask, input };
  throw new InvalidArgumentError('expected mask=none, mask=causal or mask=padding:<input>');
}

const recoveryKeys = { steps: 'steps', labels: 'labels', rank: 'rank', lr: 'learningRate', batch: 'batch', patience: 'patience' } as const;
const mayBeZero: ReadonlyArray<keyof RecoverySettings> = ['steps', 'labels', 'patience'];

/** `transfer`, or `transfer:steps=100,labels=300,rank=8,lr=0.003,batch=1,patience=3`. */
export function recovery(text: string): Partial<Omit<RecoverySettings, 'ranks' | 'deepspeed'>> {
  const [, given] = /^transfer(?::(.+))?$/.exec(text) ?? [null];
  if (given === null)
    throw new InvalidArgumentError('expected transfer, or transfer:steps=100,labels=300,rank=8,lr=0.003,batch=1,patience=3');
  const entries = (given?.split(',') ?? []).map((part) => {
    const [, name = '', number = ''] = /^(\w+)=(.+)$/.exec(part) ?? [];
    const key = Object.hasOwn(recoveryKeys, name) ? recoveryKeys[name as keyof typeof recoveryKeys] : undefined;
    const value = Number(number);
    const whole = key === 'learningRate' || (Number.isSafeInteger(value) && value <= 1e6);
    if (key !== undefined && whole && (value > 0 || (value === 0 && mayBeZero.includes(key)))) return [key, value] as const;
    throw new InvalidArgumentError(
      `${part}: expected steps, labels or patience (whole numbers from 0), rank or batch (whole numbers from 1), or lr (a number above 0)`,
    );
  });
  return Object.fromEntries(entries);
}

/** A text, after those before. */
export function repeated(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Numbers, separated by commas. */
export function numberList(text: string): readonly number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new InvalidArgumentError('expected numbers, such as 64,256,1024');
}

export function lengthList(text: string): readonly number[] {
  const lengths = text.split(',').map(Number);
  if (lengths.every((length) => Number.isSafeInteger(length) && length >= 1)) return lengths;
  throw new InvalidArgumentError('expected whole numbers ≥ 1, such as 128,256,512');
}
