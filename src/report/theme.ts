import type { Config } from 'vega-lite';

/** Colours of a page and its drawings, as #rrggbb. */
export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly surface: string;
  /** By variant: told apart with the common kinds of colour blindness (Okabe and Ito, 2008), and the same in every report. */
  readonly series: Readonly<Record<string, string>>;
  readonly standing: Readonly<Record<'good' | 'bad' | 'unsure' | 'plain', string>>;
  /** From little to much, in equal steps of lightness. */
  readonly ramp: readonly string[];
}

export const lightTheme: Theme = {
  ink: '#1b1f24',
  muted: '#59626d',
  grid: '#d8dde3',
  surface: '#ffffff',
  series: {
    dense: '#0072b2',
    window: '#b87400',
    topk: '#b14f86',
    gated: '#00805e',
    hierarchical: '#c04a00',
    'block-topk': '#2f86c4',
    linear: '#6b5fb5',
    'grid-window': '#54431a',
  },
  standing: { good: '#00805e', bad: '#c04a00', unsure: '#946100', plain: '#0072b2' },
  ramp: ['#eef4fa', '#a9cbe6', '#5a9bcb', '#1f6aa5', '#0a3d6b'],
};

export const darkTheme: Theme = {
  ink: '#e8ebee',
  muted: '#a3adb8',
  grid: '#363d45',
  surface: '#14181c',
  series: {
    dense: '#4aa8e8',
    window: '#e69f00',
    topk: '#d98cb8',
    gated: '#2bb88f',
    hierarchical: '#f0813e',
    'block-topk': '#8ccbf2',
    linear: '#a99df0',
    'grid-window': '#efe9a0',
  },
  standing: { good: '#2bb88f', bad: '#f0813e', unsure: '#e0b040', plain: '#4aa8e8' },
  ramp: ['#1d2730', '#23486a', '#2f73a8', '#5aa5dc', '#b4dbf7'],
};

/** Every colour of a theme with a name, the same names for every theme. */
function named(theme: Theme): [name: string, colour: string][] {
  const { ink, muted, grid, surface, series, standing, ramp } = theme;
  const prefixed = (prefix: string, colours: Readonly<Record<string, string>>) =>
    Object.entries(colours).map(([name, colour]): [string, string] => [`${prefix}-${name}`, colour]);
  return [
    ...Object.entries({ ink, muted, grid, surface }),
    ...prefixed('series', series),
    ...prefixed('standing', standing),
    ...ramp.map((colour, step): [string, string] => [`ramp-${step}`, colour]),
  ];
}

/** A theme as custom properties of CSS: `--ink: #1b1f24; …`. */
export function customProperties(theme: Theme): string {
  return named(theme)
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(' ');
}

const properties = new Map(named(lightTheme).map(([name, colour]) => [colour, `var(--${name})`]));

/** A drawing in the light theme, its colours left to the page. */
export function withPageColours(svg: string): string {
  return svg.replaceAll(/\b(fill|stroke)="(#[0-9a-f]{6})"/g, (attribute, kind: string, colour: string) => {
    const property = properties.get(colour);
    return property === undefined ? attribute : `${kind}="${property}"`;
  });
}

/** All colours of variants. */
export const seriesColours: readonly string[] = Object.values(lightTheme.series);

/** A variant's colour; grey for one that has none. */
export function colourOf(variant: string): string {
  return Object.hasOwn(lightTheme.series, variant) ? lightTheme.series[variant]! : lightTheme.muted;
}

const fontFamily = 'DejaVu Sans, Verdana, sans-serif';
const { ink, muted, grid, surface } = lightTheme;

/** What all charts share: the light theme. */
export const chartConfig: Config = {
  background: surface,
  font: fontFamily,
  view: { stroke: null },
  axis: {
    labelColor: muted,
    titleColor: ink,
    gridColor: grid,
    domainColor: muted,
    tickColor: muted,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 480,
    titlePadding: 8,
  },
  legend: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 260,
    orient: 'bottom',
    columns: 2,
    symbolSize: 90,
    // Below one another: the types of Vega-Lite leave out what Vega takes.
    ...({ layout: { bottom: { direction: 'vertical', anchor: 'start', center: false } } } as object),
  },
  header: { labelColor: ink, titleColor: ink, labelFontSize: 12, labelFontWeight: 'normal', labelLimit: 480 },
  title: { color: ink, fontSize: 13, anchor: 'start', font: fontFamily },
  text: { color: ink, fontSize: 11, font: fontFamily },
  rule: { color: muted },
};
