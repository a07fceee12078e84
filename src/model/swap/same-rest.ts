import { create, isFieldSet, toBinary } from '@bufbuild/protobuf';
import type { DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';

/**
 * Requires that two models are alike in all but their graphs: metadata, functions, imports (com.microsoft's operators may be imported
 * newly) and every other setting.
 * @throws INVALID_MODEL naming what differs
 */
export function requireSameRest(before: ModelProto, after: ModelProto): void {
  const imported = new Set(before.opsetImport.map(({ domain }) => domain));
  const opsetImport = after.opsetImport.filter(({ domain }) => domain !== 'com.microsoft' || imported.has(domain));
  requireSame(ModelProtoSchema, before, create(ModelProtoSchema, { ...after, opsetImport }), ['graph']);
}

/** Requires that two graphs are alike in all but nodes and initializers. @throws INVALID_MODEL naming what differs */
export function requireSameGraph(before: GraphProto, after: GraphProto): void {
  requireSame(GraphProtoSchema, before, after, ['node', 'initializer']);
}

/** What a broken proof is told as. */
export function changed(what: string): AttnswapError {
  return new AttnswapError('INVALID_MODEL', `the swap changed more than attention: ${what}`, {
    hint: 'do not use this file; swap the original again',
  });
}

function requireSame<Schema extends DescMessage>(
  schema: Schema,
  before: MessageShape<Schema>,
  after: MessageShape<Schema>,
  except: readonly string[],
): void {
  for (const field of schema.fields) {
    if (except.includes(field.localName)) continue;
    if (fieldBytes(schema, before, field).equals(fieldBytes(schema, after, field))) continue;
    throw changed(`${wordsOf(field)}${nameOfDifference(before, after, field)} is not the original's`);
  }
  if (JSON.stringify(unknownOf(before)) !== JSON.stringify(unknownOf(after))) throw changed('a field that ONNX does not define');
}

/** One field of a message, as it stands in a file; empty where it is not set. */
function fieldBytes<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>, field: DescField): Buffer {
  const alone = create(schema) as Record<string, unknown>;
  if (isFieldSet(message, field)) alone[field.localName] = valueOf(message, field);
  return Buffer.from(toBinary(schema, alone as MessageShape<Schema>));
}

function valueOf(message: object, field: DescField): unknown {
  return (message as Record<string, unknown>)[field.localName];
}

function unknownOf({ $unknown = [] }: { readonly $unknown?: ReadonlyArray<{ no: number; data: Uint8Array }> | undefined }): unknown[] {
  return $unknown.map(({ no, data }) => [no, Buffer.from(data).toString('base64')]);
}

/** `metadataProps` → «metadata props». */
function wordsOf({ localName }: DescField): string {
  return localName.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** The name or key of a list's first entry that differs, as far as entries have one. */
function nameOfDifference(before: object, after: object, field: DescField): string {
  const [old, fresh] = [valueOf(before, field), valueOf(after, field)];
  if (field.fieldKind !== 'list' || field.listKind !== 'message' || !Array.isArray(old) || !Array.isArray(fresh)) return '';
  const bytes = (entry: unknown) => (entry === undefined ? '' : Buffer.from(toBinary(field.message, entry as never)).toString('base64'));
  const longest = old.length > fresh.length ? old : fresh;
  const at = longest.findIndex((_, place) => bytes(old[place]) !== bytes(fresh[place]));
  const { name, key, domain } = (old[at] ?? fresh[at] ?? {}) as { name?: string; key?: string; domain?: string };
  return ` ${name ?? key ?? domain ?? ''}`;
}
