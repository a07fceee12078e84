import type { Adapter } from '../src/contract/adapter.ts';
import { variants } from '../src/variants/index.ts';

/** Two tables in Markdown: the kernels of each variant by family of backends, and what each backend needs. */
export function matrixMarkdown(adapters: readonly Adapter[]): string {
  const kernels = table(
    ['variant', ...adapters.map(({ name }) => name)],
    variants.map(({ name }) => [`\`${name}\``, ...adapters.map((adapter) => kernelsOf(adapter, name))]),
  );
  const backends = table(
    ['backend', 'needs'],
    adapters.flatMap(({ backends: names, needs = {} }) => names.map((name) => [`\`${name}\``, needs[name] ?? 'nothing more'])),
  );
  return `${kernels}\n\n${backends}`;
}

/** `fused`, `flash` (not `torch-cpu`), …; the default first. */
function kernelsOf({ kernels }: Adapter, variant: string): string {
  const names = kernels.flatMap((kernel) => {
    if (kernel.variant !== variant) return [];
    const without = Object.keys(kernel.lacking ?? {}).map((backend) => `\`${backend}\``);
    return [`\`${kernel.kernel}\`${without.length === 0 ? '' : ` (not ${without.join(', ')})`}`];
  });
  return names.join(', ') || '–';
}

function table(heading: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heading), `|${heading.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
