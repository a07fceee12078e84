import type { ClaimsRecord } from '../contract/claims.ts';
import { csv } from './csv.ts';

/** One row per figure; of a claim without one, one row. Columns are only ever added at the end. */
export function claimsCsv({ claims, sources }: ClaimsRecord): string {
  const rows = claims.flatMap(({ id, figure: claimed, unit, bound, verdict, decidedBy, definitions }) => {
    const claim = { claim: id, claimed, unit, side: bound.side, bound: bound.value, verdict, decidedBy };
    const figures = definitions.flatMap(({ name, figures: found }) =>
      found.map(({ of, value, low, high, standing, source, note }) => ({
        ...claim,
        definition: name,
        of,
        value,
        low,
        high,
        standing,
        source: sources[source]?.path,
        note,
      })),
    );
    return figures.length === 0 ? [claim] : figures;
  });
  const columns = 'claim claimed unit side bound verdict decidedBy definition of value low high standing source note'.split(' ');
  return csv(rows, { header: true, columns });
}
