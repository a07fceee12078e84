import { shorten } from '../../text/layout.ts';

/**
 * A label of at most `most` characters for each name; labels differ wherever names do. Long names lose their middle, as kernels differ at
 * both ends, and those that are alike then are numbered. Counted in characters, so that neither a font nor a canvas decides what is read.
 */
export function shortNames(names: readonly string[], most: number): ReadonlyMap<string, string> {
  const isShort = (name: string) => name.length <= most;
  const labels = new Map(names.filter(isShort).map((name) => [name, name]));
  const taken = new Set(labels.values());
  for (const name of new Set(names.filter((each) => !isShort(each)))) {
    let label = shorten(name, most);
    for (let number = 2; taken.has(label); number++) label = `${shorten(name, most - ` (${number})`.length)} (${number})`;
    labels.set(name, label);
    taken.add(label);
  }
  return labels;
}
