import type { RunRecord } from '../contract/run.ts';
import type { StoredMigrationRecord } from '../migration/record.ts';
import { nameOf, wasteReportOf } from '../report/cell-facts.ts';
import { percent } from '../text/figures.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';
import type { ScoredFigures } from '../waste/measure-scored.ts';
import type { WasteFigure, WasteFigures } from '../waste/schema.ts';
import type { Figure } from './evidence.ts';

type Read<Figures> = (figures: Figures) => WasteFigure | null;

/** Sites that are told one by one. */
const mostSites = 4;

/** Waste of a model's own attention, all sites together, at one length or at each, the longest first. `p95` alone is known by head. */
export function siteWaste(read: Read<WasteFigures>, { at, byHead = false }: { readonly at?: number; readonly byHead?: boolean } = {}) {
  return ({ baseline }: StoredMigrationRecord): Figure[] =>
    baseline.lengths
      .filter(({ length }) => at === undefined || length === at)
      .toSorted((a, b) => b.length - a.length)
      .flatMap(({ length, waste }) => {
        const sites = waste.flatMap(({ site, overall, heads }) => {
          const figure = read(overall);
          return figure === null ? [] : [{ site, figure, heads: heads.filter((share) => share !== null) }];
        });
        if (sites.length === 0) return [];
        const of = `${sites.length} site${sites.length === 1 ? '' : 's'} at ${length} tokens`;
        const each = sites.map(({ site, figure }) => `site ${site}: ${percent(figure.value)}`).join(', ');
        const told = sites.length <= mostSites ? each : `sites: ${rangeText(sites.map(({ figure }) => figure.value))}`;
        const heads = byHead ? `; single heads: ${rangeText(sites.flatMap((site) => site.heads))}` : '';
        return [{ of, ...pooled(sites.map(({ figure }) => figure)), note: told + heads }];
      });
}

function rangeText(shares: readonly number[]): string {
  return shares.length === 0 ? 'not known' : `${percent(Math.min(...shares))} to ${percent(Math.max(...shares))}`;
}

/** Figures of several sites as one: sums over sums. Rows of sites are sampled apart, so the distances to the ends add in quadrature. */
function pooled(figures: readonly WasteFigure[]): Pick<Figure, 'value' | 'low' | 'high'> {
  const total = (each: (figure: WasteFigure) => number) => figures.reduce((sum, figure) => sum + each(figure), 0);
  const below = total(({ denominator }) => denominator.value);
  const value = total(({ numerator }) => numerator.value) / below;
  if (figures.some(({ low, high }) => low === null || high === null)) return { value, low: null, high: null };
  const reach = (end: 'low' | 'high') =>
    Math.hypot(...figures.map((figure) => (figure[end]! - figure.value) * figure.denominator.value)) / below;
  return { value, low: value - reach('low'), high: value + reach('high') };
}

/** Waste of dense attention on the inputs of a suite, at one length or at each, the longest first. */
export function cellWaste(read: Read<WasteFigures>, at?: number) {
  return ({ cells }: RunRecord): Figure[] => {
    const found = denseCells(cells, at).flatMap(({ shape, inputs, waste }): Array<[string, Figure]> => {
      const report = wasteReportOf({ waste });
      const figure = report === null ? null : read(report.overall);
      const of = `dense attention at ${shape.queries} tokens, ${shape.causal ? 'causal' : 'not causal'}, ${inputs} inputs`;
      return figure === null ? [] : [[of, { of, ...ends(figure) }]];
    });
    // Kernels of dense attention differ in nothing that these figures are made of.
    return [...new Map(found).values()];
  };
}

/** Pairs that kernels of dense attention compute and waste, masked ones among them, at one length; the most wasteful first. */
export function kernelWaste(at: number) {
  return ({ cells }: RunRecord): Figure[] =>
    denseCells(cells, at)
      .flatMap((cell): Figure[] => {
        const figure = wasteReportOf(cell)?.overall.kernelWaste.p95 ?? null;
        return figure === null ? [] : [{ of: `${nameOf(cell)} at ${at} tokens, ${cell.inputs} inputs`, ...ends(figure) }];
      })
      .toSorted((a, b) => b.value - a.value);
}

function denseCells(cells: RunRecord['cells'], at: number | undefined): RunRecord['cells'] {
  return cells
    .filter(({ variant, status, shape }) => variant.name === 'dense' && status === 'ok' && (at === undefined || shape.queries === at))
    .toSorted((a, b) => b.shape.queries - a.shape.queries);
}

/** Waste of a trained testbed's dense attention at the positions that are scored. */
export function scoredWaste(read: Read<ScoredFigures>) {
  return ({ baselineWaste, settings }: StoredTuningRecord): Figure[] => {
    const figure = baselineWaste === null ? null : read(baselineWaste.all);
    return figure === null ? [] : [{ of: `${settings.name}: ${settings.baseline}, all heads, scored positions`, ...ends(figure) }];
  };
}

function ends({ value, low, high }: WasteFigure): Pick<Figure, 'value' | 'low' | 'high'> {
  return { value, low, high };
}
