import { expressionInterpreter } from 'vega-interpreter';
import { parse, textMetrics, View } from 'vega';
import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import type { ChartSpec } from './document.ts';
import { chartConfig } from './theme.ts';

// Vega exports it, its types do not.
declare module 'vega' {
  export const textMetrics: { canvas(use: boolean): void };
}

// Widths are estimated: a machine with the package `canvas` would draw otherwise than one without.
textMetrics.canvas(false);

/**
 * Draws a chart as SVG, in the light theme. Expressions are interpreted, never compiled, and nothing is loaded: a specification cannot run code or reach a file.
 * @param name of the drawing, unique on a page: letters, digits and hyphens
 */
export async function drawSvg(spec: ChartSpec, name: string): Promise<string> {
  const { spec: compiled } = compile({ ...spec, config: chartConfig } as unknown as TopLevelSpec, { logger: silent });
  const refuse = async () => Promise.reject(new Error('a chart may not load anything'));
  const view = new View(parse(compiled, undefined, { ast: true }), {
    expr: expressionInterpreter,
    loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse } as never,
    renderer: 'none',
    logger: silent,
  });
  try {
    const svg = await view.toSVG();
    return svg.replaceAll(/(\bid="|url\(#)((?:clip|gradient)[\w-]*)/g, `$1${name}-$2`);
  } finally {
    view.finalize();
  }
}

const silent: never = (() => {
  const logger = { level: () => logger, error: () => logger, warn: () => logger, info: () => logger, debug: () => logger };
  return logger as never;
})();
