import type { Column, Table, TableCell } from '../document.ts';
import { escapeHtml } from './escape.ts';

/** Shorter tables need no filter. */
const filteredFrom = 9;
/** Tables of more columns are set smaller on paper. */
const wideFrom = 7;

/** A table whose columns can be sorted and, where it is long, whose rows can be filtered; both by the page's script. */
export function tableHtml({ title, columns, rows }: Table): string {
  const name = escapeHtml(title);
  const filter =
    rows.length < filteredFrom
      ? ''
      : `<p class="filter" hidden><label>Filter <input type="search" placeholder="part of any column"></label> <span role="status"></span></p>`;
  const head = columns.map((column) => `<th scope="col"${classAttribute(classesOf(column))}>${escapeHtml(column.title)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell, index) => cellHtml(cell, columns[index], index === 0)).join('')}</tr>`).join('\n');
  const wide = columns.length > wideFrom ? ' wide' : '';
  return `<div class="table${wide}">${filter}<div class="scroll" tabindex="0" role="region" aria-label="${name}"><table><caption>${name}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div></div>`;
}

function cellHtml({ text, value, standing, line, href }: TableCell, column: Column | undefined, first: boolean): string {
  const classes = classAttribute([...classesOf(column), ...(standing === undefined ? [] : [standing])]);
  const attributes = `${classes}${value === undefined || !Number.isFinite(value) ? '' : ` data-v="${Number(value.toPrecision(6))}"`}`;
  // A proper minus, at which no line breaks.
  const shown = column?.numeric === true ? text.replaceAll('-', '−') : text;
  const plain = line === undefined ? escapeHtml(shown) : lineHtml(line);
  const content = href === undefined ? plain : `<a href="${escapeHtml(href)}">${plain}</a>`;
  return first ? `<th scope="row"${attributes}>${content}</th>` : `<td${attributes}>${content}</td>`;
}

function classesOf(column: Column | undefined): string[] {
  return [...(column?.numeric === true ? ['n'] : []), ...(column?.wraps === true ? ['w'] : [])];
}

function classAttribute(classes: readonly string[]): string {
  return classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
}

/** Values of a small line; who has more thins them first. */
const mostPoints = 200;

/** A small line of values in order, scaled to their own range. */
function lineHtml(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite).slice(0, mostPoints);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const height = (value: number) => (most === least ? 10 : Math.round(19 - (18 * (value - least)) / (most - least)));
  const points = finite.map((value, index) => `${Math.round((100 * index) / Math.max(1, finite.length - 1))},${height(value)}`);
  return `<svg class="line" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points.join(' ')}"/></svg>`;
}
