import { drawBelow, seededGenerator } from '../../src/statistics/resample.ts';

/** A whole number in [0, bound). */
export type Draw = (bound: number) => number;

/** The draws of one input: they depend on its name alone. */
export function drawsOf(seed: number, name: string): Draw {
  const generator = seededGenerator(seed, name);
  return (bound) => drawBelow(generator, bound);
}

export function pick<Value>(values: readonly Value[], draw: Draw): Value {
  return values[draw(values.length)]!;
}

/** Bytes with one to three damages, as disks, transfers and hostile hands make them. */
export function damagedBytes(whole: Uint8Array, draw: Draw): Uint8Array<ArrayBuffer> {
  let bytes = Buffer.from(whole);
  for (let damages = 1 + Math.floor(draw(5) / 3); damages >= 0 && bytes.length > 0; damages -= 1) {
    bytes = Buffer.from(pick(byteDamages, draw)(bytes, draw));
    if (draw(2) === 0) break;
  }
  return new Uint8Array(bytes);
}

const extremes = ['-1', '0', '0.5', '1e999', '-0', '9007199254740993', '4294967296', '1e-320', 'null', '"1"', '[]'];

const byteDamages: ReadonlyArray<(bytes: Buffer, draw: Draw) => Uint8Array> = [
  (bytes, draw) => withByte(bytes, draw(bytes.length), (old) => old ^ (1 << draw(8))),
  (bytes, draw) => withByte(bytes, draw(bytes.length), () => draw(256)),
  (bytes, draw) => withByte(bytes, draw(bytes.length), () => pick([0, 0x7f, 0x80, 0xff, 0x22, 0x7b], draw)),
  (bytes, draw) => bytes.subarray(0, draw(bytes.length)),
  (bytes, draw) => bytes.subarray(draw(bytes.length)),
  (bytes, draw) => {
    const [from, to] = range(bytes, draw, 64);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (bytes, draw) => {
    const at = draw(bytes.length);
    const added = Buffer.from(Array.from({ length: 1 + draw(16) }, () => draw(256)));
    return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
  },
  (bytes, draw) => {
    const [from, to] = range(bytes, draw, 200);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)]);
  },
  (bytes, draw) => {
    const [from, to] = range(bytes, draw, 64);
    const copy = Buffer.from(bytes);
    bytes.copy(copy, draw(bytes.length), from, to);
    return copy;
  },
  (bytes, draw) => Buffer.from(bytes).fill(0, ...range(bytes, draw, 512)),
  (bytes, draw) => {
    const copy = Buffer.from(bytes);
    if (copy.length >= 4)
      copy.writeUInt32LE(pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, draw(2 ** 31)], draw), draw(copy.length - 3));
    return copy;
  },
  (bytes, draw) => {
    const numbers = [...bytes.toString('latin1').matchAll(/\d+/g)];
    if (numbers.length === 0) return bytes;
    const { index, 0: text } = pick(numbers, draw);
    return Buffer.concat([bytes.subarray(0, index), Buffer.from(pick(extremes, draw)), bytes.subarray(index + text.length)]);
  },
];

function withByte(bytes: Buffer, at: number, value: (old: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value(copy[at]!);
  return copy;
}

function range({ length }: Buffer, draw: Draw, most: number): [number, number] {
  const from = draw(length);
  return [from, Math.min(length, from + 1 + draw(most))];
}

/** A document of JSON with one or two of its values replaced, taken away, added or nested deep, as text. */
export function damagedJson(whole: unknown, draw: Draw): string {
  let value = structuredClone(whole);
  for (let damages = 1 + draw(2); damages > 0; damages -= 1) value = damagedValue(value, draw, jsonValues);
  const text = JSON.stringify(value);
  if (draw(40) > 0) return text;
  const depth = pick([100, 3000, 20_000], draw);
  return text.replace(/"[^"]*"(?=[,}\]])|\d+(?=[,}\]])/, () => '['.repeat(depth) + ']'.repeat(depth));
}

const jsonValues: ReadonlyArray<(draw: Draw) => unknown> = [
  () => null,
  () => true,
  () => '',
  () => 'x'.repeat(5000),
  () => '__proto__',
  () => '\u0000\u001b[2J\u202e\ud800',
  () => [],
  () => ({}),
  () => [null],
  () => JSON.parse('{"__proto__": {"polluted": true}}') as unknown,
  (draw) => pick([-1, 0, -0, 0.5, 1e308, 2 ** 53, -(2 ** 31), 1e-320], draw),
  (draw) => draw(2 ** 31),
];

/** What only code gives: no JSON holds it. */
export const liveValues: typeof jsonValues = [
  ...jsonValues,
  () => undefined,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 10n,
  () => Symbol('symbol'),
  () => () => undefined,
  () => Object.create(null) as unknown,
  () => new Float32Array(3),
  () => new BigInt64Array(2),
  () => Array.from({ length: 2 ** 16 }, () => 1),
];

type Holder = Record<string, unknown>;

/** One value of a tree, wherever it stands, replaced by another; changes `value` in place unless that is all of it. */
export function damagedValue(value: unknown, draw: Draw, others: typeof jsonValues): unknown {
  const places = placesIn(value);
  if (places.length === 0 || draw(places.length + 1) === 0) return pick(others, draw)(draw);
  const { holder, key } = pick(places, draw);
  const action = draw(8);
  if (action === 0 && Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (action === 0) delete holder[key];
  else if (action === 1 && Array.isArray(holder)) holder.push(holder[Number(key)]);
  else if (action === 1) addOwn(holder, pick(['__proto__', 'constructor', 'x', ''], draw), holder[key]);
  else if (action === 2) holder[key] = swappedIn(pick(places, draw));
  else holder[key] = pick(others, draw)(draw);
  return value;
}

function swappedIn({ holder, key }: { holder: Holder; key: string }): unknown {
  try {
    return structuredClone(holder[key]);
  } catch {
    return null;
  }
}

/** As an own property, even under a name that would set the prototype. */
function addOwn(holder: Holder, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Where values stand in a tree, the elements of typed arrays left out. */
function placesIn(value: unknown): Array<{ holder: Holder; key: string }> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

/** A document, damaged as bytes or as values. */
export function damagedDocument(whole: Uint8Array): (draw: Draw) => Uint8Array {
  const value = JSON.parse(new TextDecoder().decode(whole)) as unknown;
  return (draw) => (draw(2) === 0 ? damagedBytes(whole, draw) : new TextEncoder().encode(damagedJson(value, draw)));
}

/** Where what was read is not what stands in the document. What is absent there may have a default. */
export function difference(read: unknown, document: unknown, at = 'document'): string | undefined {
  if (document === undefined) return at === 'document' ? 'was read, and is no text' : undefined;
  if (typeof read !== 'object' || read === null) return Object.is(read, document) ? undefined : `another value at ${at}`;
  if (typeof document !== 'object' || document === null) return `another value at ${at}`;
  if (Array.isArray(read) && read.length !== (document as unknown[]).length) return `another length at ${at}`;
  for (const [key, value] of Object.entries(read)) {
    const found = difference(value, Object.hasOwn(document, key) ? (document as Record<string, unknown>)[key] : undefined, `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
