import type { Tile, TileBar } from '../document.ts';
import { escapeHtml } from './escape.ts';

/** The figures of the first screen, side by side where there is room. */
export function tilesHtml(tiles: readonly Tile[]): string {
  return tiles.length === 0 ? '' : `<ul class="tiles">${tiles.map(tileHtml).join('\n')}</ul>`;
}

function tileHtml({ name, of, figures, change, note, standing, bar }: Tile): string {
  const line = (kind: string, text: string) => (text === '' ? '' : `<p class="${kind}">${escapeHtml(text)}</p>`);
  return `<li class="${standing}"><h2>${escapeHtml(name)}</h2>${line('figures', figures)}${line('change', change)}${bar === undefined ? '' : barSvg(bar, `${name}: ${change}`)}${line('note', note)}${line('of', of)}</li>`;
}

/** Room beside the outermost mark, as a share of the range drawn. */
const room = 0.12;

/** The interval as a bar around its estimate, a line where nothing changes, and what lies beyond the margin shaded. */
function barSvg({ low, estimate, high, margin, marginText }: TileBar, label: string): string {
  const marks = [0, low, high, ...(margin === null ? [] : [margin])];
  const [least, most] = [Math.min(...marks), Math.max(...marks)];
  const range = most - least || 1;
  const place = (value: number) => `${Math.round(1000 * (room + ((1 - 2 * room) * (value - least)) / range)) / 10}%`;
  const anchor = (value: number) => {
    const share = (value - least) / range;
    return share < 0.2 ? 'start' : share > 0.8 ? 'end' : 'middle';
  };
  const beyond =
    margin === null
      ? ''
      : `<rect class="beyond" x="${margin > 0 ? place(margin) : '0%'}" width="${margin > 0 ? `${100 - Number.parseFloat(place(margin))}%` : place(margin)}" y="14" height="20"/>` +
        `<line class="margin" x1="${place(margin)}" x2="${place(margin)}" y1="14" y2="34"/>` +
        `<text x="${place(margin)}" y="10" text-anchor="${anchor(margin)}">margin ${escapeHtml(marginText)}</text>`;
  return (
    `<svg class="bar" role="img" aria-label="${escapeHtml(label)}" width="100%" height="48">${beyond}` +
    `<line class="zero" x1="${place(0)}" x2="${place(0)}" y1="14" y2="34"/><text x="${place(0)}" y="46" text-anchor="${anchor(0)}">no change</text>` +
    `<line class="interval" x1="${place(low)}" x2="${place(high)}" y1="24" y2="24"/><circle cx="${place(estimate)}" cy="24" r="5"/></svg>`
  );
}
