/**
 * A label of at most `most` characters for each name; labels differ wherever names do. Long names lose their middle, as kernels differ at
 * both ends, and those that are alike then are numbered. Counted in characters, so that neither a font nor a canvas decides what is read.
 */
export function shortNames(names: readonly string[], most: number): ReadonlyMap<string, string> {
  const isShort = (name: string) => name.length <= most;
  const labels = new Map(names.filter(isShort).map((name) => [name, name]));
  const taken = new Set(labels.values());
  for (const name of new Set(names.filter((each) => !isShort(each)))) {
    let label = withoutMiddle(name, most);
    for (let number = 2; taken.has(label); number++) label = `${withoutMiddle(name, most - ` (${number})`.length)} (${number})`;
    labels.set(name, label);
    taken.add(label);
  }
  return labels;
}

function withoutMiddle(name: string, most: number): string {
  const head = Math.ceil((most - 1) / 2);
  // A pair of surrogates that is cut in two is no character.
  return `${name.slice(0, head)}…${name.slice(name.length - (most - 1 - head))}`.toWellFormed();
}
