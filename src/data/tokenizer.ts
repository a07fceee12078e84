import { Tokenizer } from '@huggingface/tokenizers';
import { AttnswapError } from '../contract/errors.ts';
import { invalidData, shown } from './check-tensor.ts';
import { readText } from '../files/read-bytes.ts';

/** What is needed of a tokenizer: tokens of text, and the special tokens that its post-processor puts around a passage. */
export interface TextTokenizer {
  /** Token ids of a piece of text, without special tokens. */
  encode(text: string): readonly number[];
  /** The text that ids stand for, without special tokens. */
  decode(ids: readonly number[]): string;
  /** Such as [CLS]. */
  readonly before: readonly number[];
  /** Such as [SEP]. */
  readonly after: readonly number[];
}

const limit = { bytes: 2 ** 27, hint: "use the model's tokenizer.json, in Hugging Face format" } as const;

/**
 * Opens a tokenizer.json in the format of Hugging Face. Its truncation and padding are left aside: passages are cut to length anyway.
 * @throws FILE_UNREADABLE, INVALID_DATA
 */
export async function openTokenizer(path: string): Promise<TextTokenizer> {
  const text = await readText(path, limit);
  return guarded(path, () => {
    const tokenizer = new Tokenizer(JSON.parse(text) as object, {});
    const idsOf = (piece: string, special: boolean) =>
      guarded(path, () => checkIds(tokenizer.encode(piece, { add_special_tokens: special }).ids));
    const encode = (piece: string) => idsOf(piece, false);
    const decode = (ids: readonly number[]) => guarded(path, () => tokenizer.decode([...ids], { skip_special_tokens: true }));
    return { encode, decode, ...specialTokens(encode('a'), idsOf('a', true), path) };
  });
}

function checkIds(ids: readonly unknown[]): readonly number[] {
  const wrong = ids.findIndex((id) => !Number.isSafeInteger(id) || (id as number) < 0);
  if (wrong < 0) return ids as number[];
  throw new TypeError(`token ${shown(ids[wrong])}, expected whole numbers ≥ 0`);
}

/** What the tokenizer throws for a damaged file, at once or at a text that needs the damaged part, becomes INVALID_DATA. */
function guarded<Result>(path: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    throw invalidData(path, `is not a readable tokenizer: ${(error as Error).message}`, { hint: limit.hint, cause: error });
  }
}

/** What stands before and after the tokens `bare` in `whole`. */
function specialTokens(bare: readonly number[], whole: readonly number[], path: string): Pick<TextTokenizer, 'before' | 'after'> {
  const at = whole.findIndex((_, start) => bare.every((id, index) => whole[start + index] === id));
  if (bare.length === 0 || at < 0)
    throw invalidData(path, `turns "a" into [${bare.join(', ')}] alone but [${whole.join(', ')}] as a passage`);
  return { before: whole.slice(0, at), after: whole.slice(at + bare.length) };
}
