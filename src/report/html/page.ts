import { createHash } from 'node:crypto';
import { drawSvg } from '../draw.ts';
import type { Chart, Part, Report, Section, Standing, Term } from '../document.ts';
import { withPageColours } from '../theme.ts';
import { escapeHtml } from './escape.ts';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';
import { tableHtml } from './table-html.ts';
import { tilesHtml } from './tile-html.ts';

const standingMarks: Readonly<Record<Standing, string>> = { good: '✓ ', bad: '✗ ', unsure: '? ', plain: '' };

/**
 * The report as one page that needs nothing else: no network, no other file. Its policy lets no script or style run but its own two,
 * whose hashes it names, so that no text of a record can.
 */
export async function reportPage(report: Report, progress: (done: number, section: string) => void = () => undefined): Promise<string> {
  const sections: string[] = [];
  for (const [done, section] of report.sections.entries()) {
    progress(done, section.title);
    sections.push(await sectionHtml(section));
  }
  const { title, verdict, tiles, answer, standing, alerts, facts, kind } = report;
  const policy = `default-src 'none'; style-src '${hashOf(pageStyle)}'; script-src '${hashOf(pageScript)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(`${title} · attnswap`)}</title>
<style>${pageStyle}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
${pagesHtml(report)}<p class="kind">attnswap · ${escapeHtml(kind)}</p>
<h1>${escapeHtml(title)}</h1>
<p class="verdict ${standing}">${standingMarks[standing]}${escapeHtml(verdict)}</p>
${tilesHtml(tiles)}
${answer === '' ? '' : `<p class="answer">${escapeHtml(answer)}</p>`}
${alerts.length === 0 ? '' : `<ul class="alerts">${alerts.map((alert) => `<li>${escapeHtml(alert)}</li>`).join('')}</ul>`}
${termsHtml(facts)}
</header>
<div class="body">
<nav aria-label="Contents">${report.sections.map(({ id, title: name }) => `<a href="#${id}">${escapeHtml(name)}</a>`).join(' ')}</nav>
<main id="content">
${sections.join('\n')}
</main>
</div>
<footer>Made by attnswap. The figures of each chart are under “Data”. This page loads nothing from the network.</footer>
<script>${pageScript}</script>
</body>
</html>
`;
}

function pagesHtml({ pages = [], title: own }: Report): string {
  const links = pages.map(
    ({ title, href }) => `<li><a href="${escapeHtml(href)}"${title === own ? ' aria-current="page"' : ''}>${escapeHtml(title)}</a></li>`,
  );
  return links.length === 0 ? '' : `<ul class="pages">${links.join('')}</ul>\n`;
}

function hashOf(content: string): string {
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}

async function sectionHtml({ id, title, lead, parts }: Section): Promise<string> {
  const found: string[] = [];
  for (const [index, part] of parts.entries()) {
    // Charts that follow each other share rows of a grid.
    if (part.kind === 'chart' && parts[index - 1]?.kind !== 'chart') found.push('<div class="charts">');
    found.push(await partHtml(part, title));
    if (part.kind === 'chart' && parts[index + 1]?.kind !== 'chart') found.push('</div>');
  }
  return `<section id="${id}"><h2>${escapeHtml(title)}</h2>
${lead === undefined ? '' : `<p class="lead">${escapeHtml(lead)}</p>`}
${found.join('\n')}</section>`;
}

function partHtml(part: Part, section: string): Promise<string> | string {
  switch (part.kind) {
    case 'chart':
      return chartHtml(part, section);
    case 'table':
      return tableHtml(part);
    case 'terms':
      return termsHtml(part.terms);
    case 'notes':
      return `<ul>${part.lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`;
    case 'commands':
      return `<pre>${part.lines.map(escapeHtml).join('\n')}</pre>`;
  }
}

async function chartHtml({ id, title, summary, spec, table }: Chart, section: string): Promise<string> {
  const label = escapeHtml(`${section}: ${title}`);
  // The heading says it already.
  const { title: drawnTitle, ...untitled } = spec;
  const drawn = [drawnTitle].flat().join(' ') === title ? untitled : spec;
  const svg = withPageColours(await drawSvg(drawn as Chart['spec'], id)).replace(
    /^<svg[^>]*?( width="[^"]*" height="[^"]*" viewBox="[^"]*")/,
    (_, sizes: string) => `<svg role="img" aria-label="${label}"${sizes}`,
  );
  return `<figure id="${id}"><h3>${escapeHtml(title)}</h3>
<div class="plot">${svg}</div>
<div class="told"><figcaption><p>${escapeHtml(summary)}</p></figcaption><details><summary>Data</summary>${tableHtml(table)}</details></div></figure>`;
}

function termsHtml(terms: readonly Term[]): string {
  return `<dl>${terms.map(({ term, text }) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`).join('')}</dl>`;
}
