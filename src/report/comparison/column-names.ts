import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';

/** A name in a heading is cut to this many characters. */
const mostCharacters = 40;

/** A name for each path, all different: its last part, more parts where others end alike, a number where nothing else tells them apart. */
export function fileNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(/[/\\]/).filter((part) => part !== '' && part !== '.'));
  const names = parts.map((own) => {
    const alike = parts.filter((other) => other.at(-1) === own.at(-1));
    const deepest = Math.max(...alike.map(({ length }) => length));
    let depth = 1;
    while (depth < deepest && alike.some((other) => other !== own && tail(other, depth) === tail(own, depth))) depth++;
    return shorten(oneLine(tail(own, depth)), mostCharacters) || 'unnamed';
  });
  return numbered(names);
}

/** Repeated names with a number: `a`, `a (2)`. */
export function numbered(names: readonly string[]): string[] {
  const taken = new Set<string>(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 2; seen.has(unique) || (unique !== name && taken.has(unique)); count++) unique = `${name} (${count})`;
    seen.add(unique);
    return unique;
  });
}

function tail(parts: readonly string[], depth: number): string {
  return parts.slice(-depth).join('/');
}
