import type { Judgment } from '../../tests/drawn/judge.ts';

/** One exported file, and what became of its attention. */
export interface Graded extends Judgment {
  readonly architecture: string;
  readonly exporter: string;
  /** What was done to the file after its export; '' for nothing. */
  readonly post: string;
  readonly sites: number;
  /** Sites that were swapped, and whose model was compared with its original. */
  readonly swapped: number;
}

/** Architectures by ways of exporting: sites swapped, of those that are there; then why the others are not. Markdown. */
export function reachTable(graded: readonly Graded[]): string {
  const way = ({ exporter, post }: Graded): string => `${exporter}${post && ` + ${post}`}`;
  const ways = [...new Set(graded.map(way))].toSorted();
  const architectures = [...new Set(graded.map(({ architecture }) => architecture))];
  const cell = (architecture: string, column: string): string => {
    const found = graded.find((each) => each.architecture === architecture && way(each) === column);
    return found === undefined ? '' : `${found.swapped}/${found.sites}`;
  };
  const rows = architectures.map((architecture) => [architecture, ...ways.map((column) => cell(architecture, column))]);
  const lines = [['architecture', ...ways], ways.map(() => '---').concat('---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const total = `${sum(graded.map(({ swapped }) => swapped))} of ${sum(graded.map(({ sites }) => sites))} sites in ${graded.length} files were swapped.`;
  const reasons = Map.groupBy(
    graded.filter(({ swapped, sites }) => swapped < sites),
    ({ reason }) => reason.replaceAll(/\d+(\.\d+)?(e[+-]?\d+)?/g, 'N'),
  );
  const why = [...reasons].map(
    ([, files]) => `- ${[...new Set(files.map(({ architecture }) => architecture))].join(', ')}: ${files[0]!.reason}`,
  );
  return [...lines, '', total, '', ...why].join('\n');
}
