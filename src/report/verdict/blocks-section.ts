import type { Comparison } from '../../contract/verdict.ts';
import { shorten } from '../../text/layout.ts';
import { figure, metricNames } from '../../verdict/wording.ts';
import { blocksChart } from '../charts/blocks.ts';
import type { BlockMark } from '../charts/blocks.ts';
import { numbered } from '../comparison/column-names.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section } from '../document.ts';

/** Comparisons that are drawn; the table has the blocks of all. */
const mostPanels = 12;
/** Rounds of a block that are drawn; a block has 20 at most. */
const mostRounds = 40;

/** The blocks behind every interval, in the order of measuring, with the rounds that each is made of. */
export function blocksSection(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): Section | undefined {
  const measured = comparisons.filter(({ blocks }) => blocks.length > 0);
  if (measured.length === 0) return undefined;
  const panels = numbered(measured.map((comparison) => `${shorten(labels.get(comparison)!, 60)} · ${metricNames[comparison.metric]}`));
  const named = measured.map((comparison, index) => ({ comparison, panel: panels[index]! }));
  const marks = named.slice(0, mostPanels).flatMap(({ comparison, panel }) => marksOf(comparison, panel));
  const more = named.length > mostPanels ? ` The chart shows ${mostPanels} of ${named.length} comparisons.` : '';
  const rows = named.flatMap(({ comparison: { unit, blocks }, panel }) =>
    blocks.map((block, index) => [
      ...words(panel),
      figureCell(index + 1, String),
      figureCell(block.base, (value) => figure(value, unit)),
      figureCell(block.new, (value) => figure(value, unit)),
      figureCell(Math.expm1(block.logRatio), changeText),
      { text: '', line: block.roundLogRatios },
    ]),
  );
  const table = {
    kind: 'table' as const,
    title: 'Blocks',
    columns: [{ title: 'comparison' }, ...numeric('block', 'base', 'new', 'change'), { title: 'rounds' }],
    rows,
  };
  const spread = named.slice(0, 6).map(({ comparison: { blocks }, panel }) => {
    const changes = blocks.map(({ logRatio }) => Math.expm1(logRatio)).sort((a, b) => a - b);
    return `${panel}: ${changeText(changes[0]!)} to ${changeText(changes.at(-1)!)} over ${blocks.length}`;
  });
  return {
    id: 'blocks',
    title: 'Blocks',
    lead: `Each block is a fresh pair of processes; the small marks are its rounds. The interval is computed over blocks, not rounds. A slope across blocks is drift; disagreement between blocks makes an interval wide.${more}`,
    parts: [
      {
        kind: 'chart',
        id: 'blocks-in-order',
        title: 'Blocks in measurement order',
        summary: `Smallest and largest change of a block: ${spread.join('; ')}.`,
        spec: blocksChart({ title: 'change in each block and round', marks }),
        table,
      },
    ],
  };
}

function marksOf({ blocks }: Comparison, panel: string): BlockMark[] {
  const percent = (logRatio: number) => 100 * Math.expm1(logRatio);
  return blocks.flatMap(({ logRatio, roundLogRatios }, index) => [
    ...(roundLogRatios.length > 1
      ? roundLogRatios.slice(0, mostRounds).map((round) => ({
          panel,
          block: index + 1,
          change: percent(round),
          kind: 'round' as const,
          label: `round of block ${index + 1}: ${changeText(Math.expm1(round))}`,
        }))
      : []),
    {
      panel,
      block: index + 1,
      change: percent(logRatio),
      kind: 'block' as const,
      label: `block ${index + 1}: ${changeText(Math.expm1(logRatio))}`,
    },
  ]);
}

function changeText(share: number): string {
  return `${share > 0 ? '+' : share < 0 ? '−' : ''}${Math.abs(100 * share).toFixed(1)} %`;
}
