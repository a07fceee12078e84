import { createHash } from 'node:crypto';

/** A name in letters, digits, `_`, `.`, `=`, `:` and `-`, short; one that loses something keeps a hash of what it was. */
export function nameSlug(name: string): string {
  const slug = name.replaceAll(/[^\w.=:]+/g, '-').slice(0, 80);
  if (slug === name) return slug;
  const hash = createHash('sha256').update(name.toWellFormed()).digest('hex').slice(0, 8);
  return [...slug.split('-').filter((part) => part !== ''), hash].join('-');
}
