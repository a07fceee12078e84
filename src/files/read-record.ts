import type { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';

/** What a document that its schema refuses is refused with. */
interface Refused {
  readonly code: ErrorCode;
  readonly hint?: string;
  /** What is named where no field of it is at fault. @default 'document' */
  readonly whole?: string;
}

/** Makes of a schema the reader of untrusted documents: it throws `code`, naming the source and the field. */
export function recordReader<Schema extends z.ZodType>(
  schema: Schema,
  { code, hint, whole = 'document' }: Refused,
): (value: unknown, source: string) => z.output<Schema> {
  return (value, source) => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const { path, message } = result.error.issues[0]!;
    throw new AttnswapError(code, `${source}: ${path.join('.') || whole}: ${message}`, { hint, cause: result.error });
  };
}

/** The schema that a document names; undefined where it names none. */
export function schemaNameOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'schema' in value && typeof value.schema === 'string'
    ? value.schema.slice(0, 100)
    : undefined;
}
