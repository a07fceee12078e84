import { shellCommand } from '../verdict/markdown-text.ts';
import { clip } from '../text/layout.ts';
import type { Section } from './document.ts';
import { methodTerms } from './methods.ts';
import type { Method } from './methods.ts';

/** How the figures were reached and what the words mean. */
export function methodsSection(methods: readonly Method[]): Section {
  return { id: 'methods', title: 'Methods', parts: [{ kind: 'terms', terms: methodTerms(methods) }] };
}

/** What to type to get the figures again. */
export function reproduceSection(commands: ReadonlyArray<readonly string[]>): Section {
  const lines = commands.map((words) => clip(shellCommand(['npx', 'attnswap', ...words]), 2000));
  return { id: 'reproduce', title: 'How to reproduce', parts: [{ kind: 'commands', lines }] };
}
