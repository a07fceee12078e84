import { customProperties, darkTheme, lightTheme } from '../theme.ts';

/** The page's style: light and dark by the reader's setting, always light in print. */
export const pageStyle = `
:root { ${customProperties(lightTheme)} --shade: #f3f5f7; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { ${customProperties(darkTheme)} --shade: #1e242a; color-scheme: dark; } }
@media print { :root { ${customProperties(lightTheme)} --shade: #f3f5f7; color-scheme: light; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--surface); color: var(--ink); font: 16px/1.5 system-ui, 'DejaVu Sans', Verdana, sans-serif; overflow-wrap: anywhere; }
body > * { max-width: 76rem; margin-inline: auto; padding-inline: 1.25rem; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: var(--surface); padding: .25rem .5rem; }
header { padding-top: 1.75rem; }
.kind { margin: 0; color: var(--muted); }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--grid); padding-bottom: .25rem; }
h3 { margin: 0; font-size: 1rem; }
.answer { margin: 0; padding: .8rem 1rem; background: var(--shade); border-left: .4rem solid var(--standing-plain); font-size: 1.1rem; }
.answer.good { border-color: var(--standing-good); } .answer.bad { border-color: var(--standing-bad); } .answer.unsure { border-color: var(--standing-unsure); }
.alerts { margin: .75rem 0 0; padding: .6rem 1rem .6rem 2rem; border: 1px solid var(--standing-unsure); background: var(--shade); }
.lead, figcaption p { color: var(--muted); margin: .25rem 0 .75rem; max-width: 62rem; }
nav { padding-block: .75rem; } nav a { display: inline-block; margin-right: 1rem; padding-block: .15rem; }
a { color: var(--standing-plain); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1rem 0; } dt { color: var(--muted); max-width: 14rem; } dd { margin: 0; }
figure { margin: 1.25rem 0 2rem; }
.plot { overflow-x: auto; } .plot svg { display: block; max-width: none; height: auto; }
@media (max-width: 40rem) { .plot svg { width: auto; max-width: 36rem; } }
.plot [aria-label]:hover { opacity: .6; }
.scroll { overflow: auto; max-height: 36rem; border: 1px solid var(--grid); }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; color: var(--muted); padding: .35rem .6rem; }
th, td { text-align: left; padding: .25rem .6rem; border-top: 1px solid var(--grid); font-weight: normal; white-space: nowrap; overflow-wrap: normal; max-width: 34rem; overflow: hidden; text-overflow: ellipsis; }
td:last-child { white-space: normal; min-width: 18rem; overflow-wrap: anywhere; }
thead th { position: sticky; top: 0; background: var(--shade); border-top: 0; vertical-align: bottom; }
th.n, td.n { text-align: right; min-width: 0; white-space: nowrap; }
thead button { all: unset; cursor: pointer; } thead button:focus-visible { outline: 2px solid var(--standing-plain); }
th[aria-sort=ascending] button::after { content: ' ▲'; } th[aria-sort=descending] button::after { content: ' ▼'; }
td.good { color: var(--standing-good); } td.bad { color: var(--standing-bad); } td.unsure { color: var(--standing-unsure); }
tbody tr:hover { background: var(--shade); }
.filter { margin: .5rem 0; } .filter input { font: inherit; width: min(20rem, 60vw); padding: .2rem .4rem; border: 1px solid var(--muted); background: var(--surface); color: inherit; }
.filter span { color: var(--muted); margin-left: .5rem; }
.more { font: inherit; margin: .5rem 0; padding: .2rem .6rem; border: 1px solid var(--muted); background: var(--surface); color: inherit; cursor: pointer; }
svg.line { width: 9rem; height: 1.2rem; } svg.line polyline { fill: none; stroke: var(--standing-plain); stroke-width: 1; vector-effect: non-scaling-stroke; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--standing-plain); }
pre { background: var(--shade); padding: .75rem 1rem; white-space: pre-wrap; font-size: .875rem; }
#tip { position: fixed; z-index: 2; max-width: 24rem; margin: 0; padding: .35rem .6rem; background: var(--ink); color: var(--surface); font-size: .875rem; pointer-events: none; }
footer { margin-top: 3rem; padding-block: 1rem 2rem; color: var(--muted); border-top: 1px solid var(--grid); }
:focus-visible { outline: 2px solid var(--standing-plain); outline-offset: 1px; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } h1 { font-size: 1.25rem; } body > * { padding-inline: .8rem; } }
@media print { nav, .filter, .more, .skip, summary { display: none; } .scroll { max-height: none; overflow: visible; border: 0; } .plot { overflow: visible; } .plot svg { max-width: 100%; } figure { break-inside: avoid; } body { font-size: 11pt; } table { font-size: 7.5pt; } th, td { white-space: normal; padding: .15rem .3rem; } thead th { position: static; } }
`;
