import { codeMarkdown, escapeMarkdown, fenced } from '../verdict/markdown-text.ts';
import { words } from './document.ts';
import type { Part, Report, Table, Tile } from './document.ts';

/** Rows of a table in Markdown; whoever wants more takes the CSV. */
const mostRows = 40;

/** The report as Markdown for a pull request or a wiki: the answer, the tables of every chart, no pictures. */
export function reportMarkdown(report: Report): string {
  const { title, verdict, tiles, answer, alerts, facts, sections } = report;
  const text = (given: string) => escapeMarkdown(given, 4000);
  const parts = [
    `# ${text(title)}`,
    `**${text(verdict)}**`,
    tiles.length === 0 ? '' : tableMarkdown(tilesTable(tiles)),
    text(answer),
    alerts.map((alert) => `> ${text(alert)}`).join('\n>\n'),
    facts.map(({ term, text: value }) => `- ${text(term)}: ${text(value)}`).join('\n'),
    ...sections.flatMap((section) => [
      `## ${text(section.title)}`,
      text(section.lead ?? ''),
      ...section.parts.flatMap((part) => partMarkdown(part, section.parts.filter(hasRows).length > 1)),
    ]),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function tilesTable(tiles: readonly Tile[]): Table {
  return {
    kind: 'table',
    title: 'At a glance',
    columns: ['figure', 'of', 'before → after', 'change', ''].map((title) => ({ title })),
    rows: tiles.map(({ name, of, figures, change, note }) => words(name, of, figures, change, note)),
  };
}

const hasRows = ({ kind }: Part): boolean => kind === 'table' || kind === 'chart';

/** The only table of a section needs no title of its own. */
function partMarkdown(part: Part, isOneOfSeveral: boolean): string[] {
  const text = (given: string) => escapeMarkdown(given, 4000);
  switch (part.kind) {
    case 'chart':
      return [`### ${text(part.title)}`, text(part.summary), tableMarkdown(part.table)];
    case 'table':
      return [...(isOneOfSeveral ? [`### ${text(part.title)}`] : []), tableMarkdown(part)];
    case 'terms':
      return [part.terms.map(({ term, text: value }) => `- **${text(term)}**: ${text(value)}`).join('\n')];
    case 'notes':
      return [part.lines.map((line) => `- ${text(line)}`).join('\n')];
    case 'commands':
      return [fenced(part.lines.join('\n'), 'sh')];
  }
}

function tableMarkdown({ columns, rows }: Table): string {
  const kept = columns.map((_, index) => rows.every((row) => row[index]?.line === undefined));
  const row = (cells: readonly string[]) => `| ${cells.filter((_, index) => kept[index]).join(' | ')} |`;
  const left = rows.length - mostRows;
  return [
    row(columns.map(({ title }) => escapeMarkdown(title, 200))),
    row(columns.map(({ numeric }) => (numeric === true ? '--:' : '---'))),
    ...rows
      .slice(0, mostRows)
      .map((cells) => row(cells.map(({ text }, index) => (index === 0 ? codeMarkdown(text, 300) : escapeMarkdown(text, 300))))),
    ...(left > 0 ? [row(columns.map((_, index) => (index === 0 ? `and ${left} more` : '')))] : []),
  ].join('\n');
}
