import { ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** What the wire says of one field, and what one of its values takes once parsed. */
export interface FieldPlan {
  readonly name: string;
  readonly wireType: number;
  /** Heap bytes of one value besides its own content. */
  readonly heapBytes: number;
  /** Heap bytes for each byte of content: strings are copied, other bytes stay where they are. */
  readonly heapBytesPerByte: number;
  /** Numbers of a list may stand side by side in one run of bytes. */
  readonly packable: boolean;
  readonly message: DescMessage | undefined;
}

export interface MessagePlan {
  readonly typeName: string;
  readonly heapBytes: number;
  readonly fields: ReadonlyMap<number, FieldPlan>;
}

/** Heap bytes that V8 takes, measured on parsed models; rounded up. */
const heap = { message: 105, emptyList: 35, firstItem: 110, string: 40, view: 120, bigint: 34, number: 10 } as const;

const fixed32: readonly ScalarType[] = [ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32];
const fixed64: readonly ScalarType[] = [ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64];
const bigints: readonly ScalarType[] = [ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64];

const plans = new Map<DescMessage, MessagePlan>();

/** The plan of a message type, made once. */
export function planOf(message: DescMessage): MessagePlan {
  const known = plans.get(message);
  if (known !== undefined) return known;
  const lists = message.fields.filter(({ fieldKind }) => fieldKind === 'list').length;
  const fields = new Map(message.fields.map((field) => [field.number, fieldPlan(field)]));
  const plan = { typeName: message.name, heapBytes: heap.message + heap.emptyList * lists, fields };
  plans.set(message, plan);
  return plan;
}

function fieldPlan(field: DescField): FieldPlan {
  const { name } = field;
  const listBytes = field.fieldKind === 'list' ? heap.firstItem : 0;
  if (field.message !== undefined) {
    return { name, wireType: wireTypes.bytes, heapBytes: 8, heapBytesPerByte: 0, packable: false, message: field.message };
  }
  const scalar = field.enum === undefined ? field.scalar! : ScalarType.INT32;
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) {
    const text = scalar === ScalarType.STRING;
    const heapBytes = text ? heap.string + listBytes : heap.view;
    return { name, wireType: wireTypes.bytes, heapBytes, heapBytesPerByte: text ? 2 : 0, packable: false, message: undefined };
  }
  const heapBytes = bigints.includes(scalar) ? heap.bigint : heap.number;
  return {
    name,
    wireType: numberWireType(scalar),
    heapBytes,
    heapBytesPerByte: 0,
    packable: field.fieldKind === 'list',
    message: undefined,
  };
}

function numberWireType(scalar: ScalarType): number {
  if (fixed32.includes(scalar)) return wireTypes.fixed32;
  return fixed64.includes(scalar) ? wireTypes.fixed64 : wireTypes.varint;
}
