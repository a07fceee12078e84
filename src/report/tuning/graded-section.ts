import { digits } from '../../text/figures.ts';
import { easyText, payingText, speedText, timedText } from '../../tuning/graded.ts';
import type { Graded } from '../../tuning/graded.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Table } from '../document.ts';
import { scoreCell } from './measure.ts';
import type { TuningView } from './tuning-view.ts';

/** How depth and time follow the difficulty of items; undefined where nothing exits early, or items are not graded. */
export function gradedSection(view: TuningView): Section | undefined {
  const { record, baseline, candidates } = view;
  const all = [
    { name: baseline, graded: record.baselineGraded },
    ...candidates.map(({ name, found: { graded } }) => ({ name, graded })),
  ].flatMap(({ name, graded }) => (graded === null ? [] : [{ name, graded }]));
  if (all.length === 0) return undefined;
  const said = all.map(
    ({ name, graded }) =>
      `${name}: ${easyText(graded.easy)}${payingText(graded)}Hardest items, exits against all layers: ${graded.quality.reason}.`,
  );
  const lead = `The models of the first seed on test items of each difficulty, with exits and without (the same weights, every item through all layers). Speed: time without exits ÷ time with exits of the exported model, with a 95 % interval; below 1, exits cost time. ${said.join(' ')}`;
  return { id: 'graded', title: 'Depth by difficulty', lead, parts: [gradedTable(view, all)] };
}

function gradedTable({ measure }: TuningView, all: ReadonlyArray<{ readonly name: string; readonly graded: Graded }>): Table {
  const timed = [...new Set(all.map(({ graded }) => graded.timed))].map(timedText).join(' or ');
  return {
    kind: 'table',
    title: `Depth by difficulty; speeds of ${timed}`,
    columns: [{ title: 'attention' }, ...numeric('difficulty', 'items', 'all layers', 'exits', 'layers', 'speed')],
    rows: all.flatMap(({ name, graded }) =>
      graded.levels.map(({ difficulty, items, whole, score, layers, latency }) => [
        ...words(name),
        figureCell(difficulty, digits),
        figureCell(items, String),
        scoreCell(measure, whole),
        scoreCell(measure, score),
        figureCell(layers, digits),
        { text: speedText(latency) },
      ]),
    ),
  };
}
