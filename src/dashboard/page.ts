import { reportSchemaName } from '../report/document.ts';
import type { PageLink, Report, Section, Standing, Tile } from '../report/document.ts';

/** One page of the site, before it is a report. */
export interface Page {
  /** Its file's name. */
  readonly file: string;
  readonly title: string;
  readonly verdict: string;
  readonly standing: Standing;
  readonly tiles?: readonly Tile[];
  readonly answer: string;
  readonly alerts?: readonly string[];
  readonly sections: readonly Section[];
}

/** The page as a report, with links to the others. */
export function pageReport(
  { title, verdict, standing, tiles = [], answer, alerts = [], sections }: Page,
  pages: readonly PageLink[],
): Report {
  return { schema: reportSchemaName, kind: 'dashboard', title, verdict, standing, tiles, answer, alerts, facts: [], sections, pages };
}
