import { createRequire } from 'node:module';
import { drawSvg } from './draw.ts';
import type { Chart } from './document.ts';

/** Pixels per unit of the drawing: sharp on dense screens. */
const scale = 2;

/** A chart as PNG, in the light theme, with a font that comes with the package: no browser, and no font of the machine, is needed. */
export async function chartPng({ spec, id }: Chart): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const font = createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf');
  const fonts = { fontFiles: [font], loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  return new Resvg(await drawSvg(spec, id), { fitTo: { mode: 'zoom', value: scale }, font: fonts }).render().asPng();
}
