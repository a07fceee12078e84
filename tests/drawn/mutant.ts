import { registerHooks } from 'node:module';

/**
 * Loaded before anything else, with `ATTNSWAP_MUTANT` a list of changes as JSON: gives the sources that they name with one text in the place
 * of another, as if the check there had been left out. Ends the process where a source no longer has the text.
 */
interface Change {
  /** End of the source's URL. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const changes = JSON.parse(process.env['ATTNSWAP_MUTANT'] ?? '[]') as Change[];

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const own = changes.filter(({ file }) => url.endsWith(file));
    if (own.length === 0) return loaded;
    let source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source as Uint8Array);
    for (const { from, to } of own) {
      if (!source.includes(from)) throw new Error(`${url} no longer has ${JSON.stringify(from)}`);
      source = source.replace(from, to);
    }
    return { ...loaded, source };
  },
});
