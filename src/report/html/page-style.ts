import { customProperties, darkTheme, lightTheme } from '../theme.ts';

/** The page's style: light and dark by the reader's setting, always light in print. */
export const pageStyle = `
:root { ${customProperties(lightTheme)} --shade: #f3f5f7; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { ${customProperties(darkTheme)} --shade: #1e242a; color-scheme: dark; } }
@media print { :root { ${customProperties(lightTheme)} --shade: #f3f5f7; color-scheme: light; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; }
body { margin: 0; background: var(--surface); color: var(--ink); font: 16px/1.5 system-ui, 'DejaVu Sans', Verdana, sans-serif; overflow-wrap: anywhere; }
header, .body, footer { max-width: 90rem; margin-inline: auto; padding-inline: 1.25rem; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: var(--surface); padding: .25rem .5rem; z-index: 3; }
header { padding-top: 1.25rem; }
.pages { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1rem; padding: 0; list-style: none; font-size: .875rem; } .pages [aria-current] { color: inherit; text-decoration: none; font-weight: bold; }
.kind { margin: 0; color: var(--muted); font-size: .875rem; }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.25; font-weight: normal; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--grid); padding-bottom: .25rem; break-after: avoid; }
h3 { margin: 0 0 .25rem; font-size: 1rem; break-after: avoid; }
.verdict { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.25; font-weight: bold; }
.verdict.good { color: var(--standing-good); } .verdict.bad { color: var(--standing-bad); } .verdict.unsure { color: var(--standing-unsure); }
.tiles { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; margin: 0 0 1rem; padding: 0; list-style: none; }
.tiles li { padding: .75rem 1rem; background: var(--shade); border-top: .25rem solid var(--standing-plain); break-inside: avoid; }
.tiles .good { border-color: var(--standing-good); } .tiles .bad { border-color: var(--standing-bad); } .tiles .unsure { border-color: var(--standing-unsure); }
.tiles h2 { margin: 0; padding: 0; border: 0; font-size: 1rem; } .tiles p { margin: 0; }
.figures { font-size: 1.4rem; font-variant-numeric: tabular-nums; } .change { font-weight: bold; font-variant-numeric: tabular-nums; }
.note, .of { color: var(--muted); font-size: .875rem; }
svg.bar { display: block; margin: .4rem 0; overflow: visible; } svg.bar text { font-size: 11px; fill: var(--muted); }
svg.bar .beyond { fill: var(--standing-bad); opacity: .15; } svg.bar .margin { stroke: var(--standing-bad); stroke-width: 1.5; stroke-dasharray: 3 2; } svg.bar .zero { stroke: var(--muted); }
svg.bar .interval { stroke: var(--standing-plain); stroke-width: 4; } svg.bar circle { fill: var(--standing-plain); }
.good svg.bar .interval { stroke: var(--standing-good); } .good svg.bar circle { fill: var(--standing-good); }
.bad svg.bar .interval { stroke: var(--standing-bad); } .bad svg.bar circle { fill: var(--standing-bad); }
.unsure svg.bar .interval { stroke: var(--standing-unsure); } .unsure svg.bar circle { fill: var(--standing-unsure); }
.answer { margin: 0 0 1rem; max-width: 62rem; }
.alerts { margin: 0 0 1rem; padding: .6rem 1rem .6rem 2rem; border: 1px solid var(--standing-unsure); background: var(--shade); }
.lead, figcaption p { color: var(--muted); margin: .25rem 0 .75rem; max-width: 62rem; }
nav { position: sticky; top: 0; z-index: 2; display: flex; gap: 1rem; overflow-x: auto; padding-block: .5rem; background: var(--surface); border-bottom: 1px solid var(--grid); font-size: .875rem; white-space: nowrap; }
nav a { padding-block: .15rem; text-decoration: none; border-bottom: .15rem solid transparent; } nav a[aria-current] { border-color: var(--standing-plain); color: var(--ink); } nav a:hover { text-decoration: underline; }
a { color: var(--standing-plain); }
main { min-width: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1rem 0; } dt { color: var(--muted); max-width: 14rem; } dd { margin: 0; }
.charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 2rem; }
figure { margin: 1rem 0 1.5rem; min-width: 0; }
.plot svg { display: block; width: 100%; height: auto; max-width: 46rem; }
.plot [aria-label]:hover { opacity: .6; }
.scroll { overflow: auto; max-height: 36rem; border: 1px solid var(--grid); }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; color: var(--muted); padding: .35rem .6rem; }
th, td { text-align: left; padding: .25rem .6rem; border-top: 1px solid var(--grid); font-weight: normal; white-space: nowrap; overflow-wrap: normal; max-width: 34rem; overflow: hidden; text-overflow: ellipsis; }
td:last-child { white-space: normal; min-width: 18rem; overflow-wrap: anywhere; }
th.w, td.w { white-space: normal; min-width: 8rem; max-width: 16rem; overflow-wrap: anywhere; }
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
#tip { position: fixed; z-index: 3; max-width: 24rem; margin: 0; padding: .35rem .6rem; background: var(--ink); color: var(--surface); font-size: .875rem; pointer-events: none; }
footer { margin-top: 3rem; padding-block: 1rem 2rem; color: var(--muted); border-top: 1px solid var(--grid); }
:focus-visible { outline: 2px solid var(--standing-plain); outline-offset: 1px; }
@media screen and (min-width: 62.5rem) {
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  /* A chart without a neighbour has its words beside it. */
  figure:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 2rem; align-items: start; }
  figure:last-child:nth-child(odd) h3 { grid-column: 1 / -1; }
}
@media screen and (min-width: 78rem) {
  html { scroll-padding-top: 1rem; }
  .body { display: grid; grid-template-columns: 12rem minmax(0, 1fr); gap: 2rem; }
  nav { top: 0; align-self: start; flex-direction: column; gap: .25rem; max-height: 100vh; overflow: auto; padding-block: 2.5rem 1rem; border: 0; white-space: normal; }
  nav a { border: 0; border-left: .15rem solid transparent; padding-left: .6rem; }
}
@media (max-width: 40rem) {
  .tiles { grid-template-columns: minmax(0, 1fr); gap: .5rem; } .tiles li { padding: .5rem .8rem; } svg.bar { margin: .2rem 0; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } .verdict { font-size: 1.35rem; } header, .body, footer { padding-inline: .8rem; }
}
@media print {
  nav, .pages, .filter, .more, .skip, summary { display: none; }
  body { font-size: 10pt; } .body { display: block; } h2 { margin-top: 1.5rem; } .verdict { font-size: 1.5rem; }
  .scroll { max-height: none; overflow: visible; border: 0; } .plot svg { max-width: 11cm; } .plot, .tiles li, tr, h3 { break-inside: avoid; } .plot { break-after: avoid; } .tiles { gap: .5rem; } .tiles li { padding: .4rem .6rem; } .figures { font-size: 1.1rem; }
  table { font-size: 7.5pt; } .wide table { font-size: 5pt; } .wide svg.line { width: 3rem; }
  th, td { white-space: normal; padding: .15rem .3rem; } td:last-child { min-width: 0; } thead th { position: static; } th.n, td.n { white-space: normal; } th[scope=row], td:not(.n) { overflow-wrap: anywhere; } .wide th, .wide td { padding: .1rem .15rem; }
}
`;
