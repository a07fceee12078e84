/** A value of a header's JSON. Objects are maps, so that no name, `__proto__` among them, means anything to the language. */
export type HeaderJson = string | number | boolean | null | readonly HeaderJson[] | ReadonlyMap<string, HeaderJson>;

export interface HeaderJsonLimits {
  /** Objects and arrays within one another. */
  readonly maximumDepth: number;
  /** Members of one object or array. */
  readonly maximumMembers: number;
}

const scalar = /(?:true|false|null|-?(?:0|[1-9]\d{0,308})(?:\.\d{1,308})?(?:[eE][+-]?\d{1,3})?)(?![\w.+-])/y;

/**
 * Parses untrusted JSON (RFC 8259) more strictly than JSON.parse, which keeps the last of two equal names: duplicate names,
 * deep nesting and overlong objects are refused.
 * @throws SyntaxError
 */
export function parseHeaderJson(text: string, limits: HeaderJsonLimits): HeaderJson {
  const parser = new HeaderParser(text, limits);
  const value = parser.value(0);
  parser.end();
  return value;
}

class HeaderParser {
  readonly #text: string;
  readonly #limits: HeaderJsonLimits;
  #at = 0;

  constructor(text: string, limits: HeaderJsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  value(depth: number): HeaderJson {
    const next = this.#peek();
    if (next === '"') return this.#string();
    if (next !== '{' && next !== '[') return this.#scalar();
    if (depth === this.#limits.maximumDepth) this.#refuse(`more than ${depth} levels deep`);
    this.#at += 1;
    return next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
  }

  end(): void {
    if (this.#peek() !== '') this.#refuse('text after the end of the object');
  }

  #object(depth: number): ReadonlyMap<string, HeaderJson> {
    const members = new Map<string, HeaderJson>();
    if (this.#take('}')) return members;
    do {
      if (this.#peek() !== '"') this.#refuse('no name');
      const name = this.#string();
      if (members.has(name)) this.#refuse(`the name ${JSON.stringify(name.slice(0, 80))} appears twice`);
      if (members.size === this.#limits.maximumMembers) this.#refuse(`more than ${members.size} names in one object`);
      if (!this.#take(':')) this.#refuse('missing colon after a name');
      members.set(name, this.value(depth));
    } while (this.#take(','));
    if (!this.#take('}')) this.#refuse('an unterminated object');
    return members;
  }

  #array(depth: number): readonly HeaderJson[] {
    const items: HeaderJson[] = [];
    if (this.#take(']')) return items;
    do {
      if (items.length === this.#limits.maximumMembers) this.#refuse(`more than ${items.length} items in one array`);
      items.push(this.value(depth));
    } while (this.#take(','));
    if (!this.#take(']')) this.#refuse('an unterminated array');
    return items;
  }

  /** JSON.parse reads the escapes; here only the closing quote is found. */
  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    if (end >= this.#text.length) this.#refuse('an unterminated string');
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #scalar(): number | boolean | null {
    scalar.lastIndex = this.#at;
    const match = scalar.exec(this.#text);
    if (match === null) this.#refuse('not a JSON value');
    this.#at = scalar.lastIndex;
    return JSON.parse(match[0]) as number | boolean | null;
  }

  /** The next character that is no white space, or '' at the end. */
  #peek(): string {
    while (this.#at < this.#text.length && ' \t\n\r'.includes(this.#text[this.#at]!)) this.#at += 1;
    return this.#text[this.#at] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #refuse(problem: string): never {
    throw new SyntaxError(`${problem} at character ${this.#at}`);
  }
}
