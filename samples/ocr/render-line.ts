import type * as Canvas from '@napi-rs/canvas';
import { packageFile, requirePackage } from '../optional-package.ts';
import type { RandomStream } from '../../src/inputs/random.ts';

/** How a line looks. */
export interface LineStyle {
  readonly font: 'DejaVuSans' | 'DejaVuSerif' | 'DejaVuSansCondensed' | 'DejaVuSerif-Italic';
  /** Pixels. */
  readonly size: number;
  /** Greys of ink and paper, 0 black to 255 white. */
  readonly ink: number;
  readonly paper: number;
  /** Standard deviation of each pixel's noise, in the same greys. */
  readonly noise: number;
}

/** A line as greys 0 to 255, `[height, width]`, and the text that stands in it. */
export interface RenderedLine {
  readonly text: string;
  readonly greys: Float32Array;
}

export const lineHeight = 48;
const margin = 8;
const fonts = ['DejaVuSans', 'DejaVuSerif', 'DejaVuSansCondensed', 'DejaVuSerif-Italic'] as const;

/** Canvas of this width at most are drawn at once; a longer line is pasted together from them. */
const tileWidth = 4096;

/** A style at random: of four faces, slightly different in size, tone and noise. */
export function drawStyle(stream: RandomStream): LineStyle {
  const between = (from: number, to: number): number => from + (to - from) * stream.uniform();
  return {
    font: fonts[Math.floor(stream.uniform() * fonts.length)]!,
    size: Math.round(between(26, 34)),
    ink: Math.round(between(0, 80)),
    paper: Math.round(between(200, 255)),
    noise: between(4, 20),
  };
}

/**
 * Sets words from `words` in one line that fills `width` pixels: as many as come nearest to it, then stretched or squeezed to
 * fit. The noise comes from `stream`; the same arguments give the same pixels on the same version of the canvas.
 * @throws INVALID_DATA without the packages of canvas and font
 */
export function renderLine(words: readonly string[], width: number, style: LineStyle, stream: RandomStream): RenderedLine {
  const line = setWords(words, width, style);
  const greys = new Float32Array(lineHeight * width);
  for (let left = 0; left < width; left += tileWidth) drawTile(greys, width, left, line, style);
  for (let index = 0; index < greys.length; index += 1)
    greys[index] = Math.min(255, Math.max(0, Math.round(greys[index]! + style.noise * stream.normal())));
  return { text: line.words.map(({ word }) => word).join(' '), greys };
}

interface SetLine {
  /** Where each word begins and ends before stretching, pixels. */
  readonly words: readonly { readonly word: string; readonly from: number; readonly to: number }[];
  readonly stretch: number;
  readonly baseline: number;
}

function setWords(words: readonly string[], width: number, style: LineStyle): SetLine {
  const context = contextOf(1, style);
  const space = context.measureText(' ').width;
  const wanted = width - 2 * margin;
  const set: { word: string; from: number; to: number }[] = [];
  for (const word of words) {
    const end = set.at(-1)?.to;
    const from = end === undefined ? 0 : end + space;
    const to = from + context.measureText(word).width;
    // The word that goes too far is left out where the line is nearer to its width without it.
    if (end !== undefined && to > wanted && to - wanted > wanted - end) break;
    set.push({ word, from, to });
    if (to >= wanted) break;
  }
  const { actualBoundingBoxAscent: ascent, actualBoundingBoxDescent: descent } = context.measureText('Hgypbd');
  return { words: set, stretch: wanted / (set.at(-1)?.to ?? wanted), baseline: (lineHeight + ascent - descent) / 2 };
}

function drawTile(greys: Float32Array, width: number, left: number, { words, stretch, baseline }: SetLine, style: LineStyle): void {
  const tile = Math.min(tileWidth, width - left);
  const context = contextOf(tile, style);
  context.fillStyle = grey(style.paper);
  context.fillRect(0, 0, tile, lineHeight);
  context.fillStyle = grey(style.ink);
  context.setTransform(stretch, 0, 0, 1, margin - left, 0);
  for (const { word, from, to } of words) {
    // Italics reach beyond their advance, by less than a line's height.
    const near = margin + to * stretch > left - lineHeight && margin + from * stretch < left + tile + lineHeight;
    if (near) context.fillText(word, from, baseline);
  }
  const pixels = context.getImageData(0, 0, tile, lineHeight).data;
  for (let row = 0; row < lineHeight; row += 1) {
    for (let column = 0; column < tile; column += 1) greys[row * width + left + column] = pixels[4 * (row * tile + column)]!;
  }
}

function grey(value: number): string {
  return `rgb(${value}, ${value}, ${value})`;
}

function contextOf(width: number, { font, size }: LineStyle) {
  const { createCanvas, GlobalFonts } = requirePackage<typeof Canvas>('@napi-rs/canvas');
  const family = `attnswap ${font}`;
  if (!GlobalFonts.has(family)) GlobalFonts.registerFromPath(packageFile('dejavu-fonts-ttf', `ttf/${font}.ttf`), family);
  const context = createCanvas(width, lineHeight).getContext('2d');
  context.font = `${size}px "${family}"`;
  return context;
}
