/** One exported file, and what became of its attention. */
export interface Graded {
  readonly architecture: string;
  readonly exporter: string;
  /** What was done to the file after its export; '' for nothing. */
  readonly post: string;
  /** Attention sites that the architecture has. */
  readonly sites: number;
  readonly found: number;
  readonly swappable: number;
  /** Sites that were swapped, and whose file agrees with its original. */
  readonly confirmed: number;
  readonly reason: string;
}

/** Architectures by ways of exporting: sites confirmed, of those that are there; then shares, then why the others are not. Markdown. */
export function reachTable(graded: readonly Graded[]): string {
  const way = ({ exporter, post }: Graded): string => `${exporter}${post && ` + ${post}`}`;
  const ways = [...new Set(graded.map(way))].toSorted();
  const architectures = [...new Set(graded.map(({ architecture }) => architecture))];
  const cell = (architecture: string, column: string): string => {
    const found = graded.filter((each) => each.architecture === architecture && way(each) === column);
    if (found.length === 0) return '';
    return sum(found, 'sites') === 0 ? 'none' : `${sum(found, 'confirmed')}/${sum(found, 'sites')}`;
  };
  const reach = table([
    ['architecture', ...ways],
    ...architectures.map((architecture) => [architecture, ...ways.map((column) => cell(architecture, column))]),
  ]);
  const shares = table([
    ['exported by', 'files', 'sites', 'found', 'swappable', 'confirmed'],
    ...ways.map((column) => [column, ...counts(graded.filter((each) => way(each) === column))]),
    ['all', ...counts(graded)],
  ]);
  const reasons = Map.groupBy(
    graded.filter(({ confirmed, sites }) => confirmed < sites),
    ({ reason }) => reason.replaceAll(/\d+(\.\d+)?(e[+-]?\d+)?/g, 'N'),
  );
  const why = [...reasons.values()].map(
    (files) => `- ${[...new Set(files.map((each) => `${each.architecture} (${way(each)})`))].join(', ')}: ${files[0]!.reason}`,
  );
  return [...reach, '', ...shares, ...(why.length === 0 ? [] : ['', 'Not swapped:', '', ...why])].join('\n');
}

function table([heading, ...rows]: ReadonlyArray<readonly string[]>): string[] {
  return [heading!, heading!.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

type Counted = 'sites' | 'found' | 'swappable' | 'confirmed';

function sum(graded: readonly Graded[], what: Counted): number {
  return graded.reduce((total, each) => total + each[what], 0);
}

/** Files and sites, then how many of the sites, with their share. */
function counts(graded: readonly Graded[]): string[] {
  const sites = sum(graded, 'sites');
  const share = (what: Counted) => `${sum(graded, what)} (${Math.round((100 * sum(graded, what)) / sites)} %)`;
  return [`${graded.length}`, `${sites}`, ...(['found', 'swappable', 'confirmed'] as const).map(share)];
}
