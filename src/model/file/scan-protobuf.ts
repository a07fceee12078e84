import { ModelProtoSchema } from 'onnx-buf';
import { invalidModel } from './invalid-model.ts';
import { planOf, wireTypes } from './message-plans.ts';
import type { FieldPlan, MessagePlan } from './message-plans.ts';

export const maximumNodes = 1_000_000;
/** Levels of subgraphs below the model's own graph. */
const maximumNesting = 16;
const maximumMessageDepth = 90;
const unknownFieldHeapBytes = 200;

/**
 * Walks the wire format of an untrusted model before it is parsed, in one pass without allocation: every length lies
 * within its message, every known field has its wire type, and what parsing would take of the heap is within
 * `heapBudgetBytes` (a few bytes on disk can become hundreds in memory).
 * @throws INVALID_MODEL
 */
export function scanModel(bytes: Uint8Array, path: string, heapBudgetBytes: number): void {
  new Scan(bytes, path, heapBudgetBytes).message(planOf(ModelProtoSchema), bytes.length, 0, -1);
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #budget: number;
  #at = 0;
  #heapBytes = 0;
  #nodes = 0;

  constructor(bytes: Uint8Array, path: string, heapBudgetBytes: number) {
    this.#bytes = bytes;
    this.#path = path;
    this.#budget = heapBudgetBytes;
  }

  /** Reads one message up to `end`; `nesting` counts the graphs around it. */
  message(plan: MessagePlan, end: number, depth: number, nesting: number): void {
    this.#enter(plan, depth, nesting);
    while (this.#at < end) {
      const start = this.#at;
      const tag = this.#varint(end);
      const field = plan.fields.get(Math.floor(tag / 8));
      if (tag < 8 || tag > 0xffff_ffff) throw this.#invalid(start, 'no field has this number', plan);
      if (field === undefined) this.#unknown(tag % 8, end, plan);
      else this.#field(field, tag % 8, { plan, end, depth, nesting });
    }
  }

  #enter(plan: MessagePlan, depth: number, nesting: number): void {
    this.#charge(plan.heapBytes);
    if (depth > maximumMessageDepth)
      throw this.#invalid(this.#at, `messages are nested more than ${maximumMessageDepth} levels deep`, plan);
    if (nesting > maximumNesting) throw this.#invalid(this.#at, `subgraphs are nested more than ${maximumNesting} levels deep`, plan);
    if (plan.typeName === 'NodeProto' && ++this.#nodes > maximumNodes)
      throw this.#invalid(this.#at, `more than ${maximumNodes} nodes`, plan);
  }

  #field(field: FieldPlan, wireType: number, around: { plan: MessagePlan; end: number; depth: number; nesting: number }): void {
    const { plan, end, depth, nesting } = around;
    if (wireType === wireTypes.bytes && field.packable) return this.#packed(field, this.#length(end, plan, field.name));
    if (wireType !== field.wireType)
      throw this.#invalid(this.#at, `${field.name} has wire type ${wireType}, expected ${field.wireType}`, plan);
    this.#charge(field.heapBytes);
    if (wireType !== wireTypes.bytes) return this.#skipNumber(wireType, end, plan);
    const inner = this.#length(end, plan, field.name);
    if (field.message === undefined) {
      this.#charge(field.heapBytesPerByte * (inner - this.#at));
      this.#at = inner;
      return;
    }
    const child = planOf(field.message);
    this.message(child, inner, depth + 1, child.typeName === 'GraphProto' ? nesting + 1 : nesting);
  }

  #packed(field: FieldPlan, end: number): void {
    if (field.wireType === wireTypes.varint) {
      while (this.#at < end) {
        this.#varint(end);
        this.#charge(field.heapBytes);
      }
      return;
    }
    const size = field.wireType === wireTypes.fixed32 ? 4 : 8;
    if ((end - this.#at) % size !== 0) throw this.#invalid(this.#at, `${field.name} is not a whole number of ${size}-byte values`);
    this.#charge(((end - this.#at) / size) * field.heapBytes);
    this.#at = end;
  }

  #unknown(wireType: number, end: number, plan: MessagePlan): void {
    this.#charge(unknownFieldHeapBytes);
    if (wireType === wireTypes.bytes) this.#at = this.#length(end, plan, 'an unknown field');
    else this.#skipNumber(wireType, end, plan);
  }

  #skipNumber(wireType: number, end: number, plan: MessagePlan): void {
    if (wireType === wireTypes.varint) return void this.#varint(end);
    if (wireType !== wireTypes.fixed32 && wireType !== wireTypes.fixed64)
      throw this.#invalid(this.#at, `wire type ${wireType}, expected 0, 1, 2 or 5`, plan);
    this.#at += wireType === wireTypes.fixed32 ? 4 : 8;
    if (this.#at > end) throw this.#invalid(end, 'a number runs past the end', plan);
  }

  /** Reads a length and gives where its content ends. */
  #length(end: number, plan: MessagePlan, name: string): number {
    const length = this.#varint(end);
    if (length > end - this.#at) throw this.#invalid(this.#at, `${name} says it has ${length} bytes, ${end - this.#at} are left`, plan);
    return this.#at + length;
  }

  /** An unsigned varint; beyond 2⁵³ its value is not exact, which no length may reach. */
  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10 && this.#at < end; count++) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw this.#invalid(this.#at, 'a number is not terminated');
  }

  #charge(heapBytes: number): void {
    this.#heapBytes += heapBytes;
    if (this.#heapBytes <= this.#budget) return;
    throw invalidModel(
      this.#path,
      `parsing would need more than ${Math.round(this.#budget / 2 ** 20)} MiB of the heap at byte ${this.#at} of ${this.#bytes.length}`,
      'store tensors as raw or external data (onnx.save_model with save_as_external_data=True), or give Node a larger heap: NODE_OPTIONS=--max-old-space-size=<MiB>',
    );
  }

  #invalid(at: number, what: string, plan?: MessagePlan): Error {
    const where = plan === undefined ? `byte ${at}` : `byte ${at}, in ${plan.typeName}`;
    return invalidModel(
      this.#path,
      `${where}: ${what}`,
      'the file is truncated or not an ONNX model: download it again, or check it with python -m onnx.checker',
    );
  }
}
