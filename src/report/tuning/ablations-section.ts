import { percent } from '../../text/figures.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { shorten } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { numbered } from '../comparison/column-names.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Table, TableCell } from '../document.ts';
import { differenceCells, differencesChart } from './differences.ts';
import type { Difference } from './differences.ts';
import { scoreCell } from './measure.ts';
import { meanTest } from './tuning-view.ts';
import type { TuningView } from './tuning-view.ts';

type Ablation = TuningCandidateRecord['ablations'][number];

interface NamedAblation {
  readonly attention: string;
  readonly without: string;
  /** Unique in the chart. */
  readonly name: string;
  readonly ablated: number | null;
  readonly gained: Difference;
  readonly steps: Ablation['steps'];
}

/** What each choice of a winner's own gained; undefined where no winner had any. */
export function ablationsSection(view: TuningView): Section | undefined {
  const { measure } = view;
  const ablations = ablationsOf(view);
  if (ablations.length === 0) return undefined;
  const table = ablationsTable(view, ablations);
  const chart = differencesChart({
    id: 'ablations',
    title: 'Contribution of each choice',
    axis: `mean test score, winner minus ablated, ${measure.differenceUnit}`,
    rows: ablations.map(({ name, gained }) => ({ name, difference: gained })),
    measure,
    table,
  });
  const lead =
    'Each winner compared with itself with one choice reverted, trained with the same seeds. Right of the line, the choice helped. Steps saved: the share of training steps saved on the way to a validation score that both reach.';
  return { id: 'ablations', title: 'Ablation', lead, parts: [chart ?? table] };
}

function ablationsOf({ candidates }: TuningView): NamedAblation[] {
  const found = candidates.flatMap(({ name: attention, found: { ablations } }) =>
    ablations.map(({ without, trials, gained, steps }) => ({
      attention,
      without: shorten(oneLine(without), 60),
      ablated: meanTest(trials),
      gained,
      steps,
    })),
  );
  const names = numbered(found.map(({ attention, without }) => shorten(`${attention}: ${without}`, 70)));
  return found.map((ablation, index) => ({ ...ablation, name: names[index]! }));
}

function ablationsTable({ measure }: TuningView, ablations: readonly NamedAblation[]): Table {
  return {
    kind: 'table',
    title: 'Ablations',
    columns: [
      { title: 'attention' },
      { title: 'reverted' },
      ...numeric('mean score without', 'contribution', '95 % interval', 'p', 'steps saved', '95 % interval'),
    ],
    rows: ablations.map(({ attention, without, ablated, gained, steps }) => [
      ...words(attention, without),
      scoreCell(measure, ablated),
      ...differenceCells(measure, gained),
      ...savingCells(steps),
    ]),
  };
}

/** The share of steps that a choice saved, and its interval over seeds. */
function savingCells(steps: Ablation['steps']): TableCell[] {
  const { estimate, low, high } = steps?.saved ?? { estimate: null, low: null, high: null };
  return [figureCell(estimate, percent), { text: low === null || high === null ? '–' : `${percent(low)} … ${percent(high)}` }];
}
