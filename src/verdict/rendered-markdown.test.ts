import assert from 'node:assert/strict';
import { test } from 'node:test';
import MarkdownIt from 'markdown-it';
import { outcomes } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { githubSummary } from './github.ts';
import { verdictMarkdown } from './markdown.ts';

const parser = new MarkdownIt({ html: true, linkify: true });

/** The tags that a rendering of a verdict is made of. */
const known = new Set(['p', 'strong', 'h3', 'details', 'summary', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'code', 'ul', 'li', 'pre']);

/** Markdown as HTML, with tables and links of addresses, raw HTML let through: what a renderer does before it sanitises. */
function htmlOf(markdown: string): string {
  return parser.render(markdown);
}

/** Tags and comments of some HTML; `strange` are those that no rendering writes. */
function tagsOf(html: string): { all: string[]; strange: string[] } {
  const all = html.match(/<[^>]*>?/g) ?? [];
  const own = (tag: string) =>
    known.has(/^<\/?([a-z0-9]+)( style="text-align:right"| class="language-sh")?>$/.exec(tag)?.[1] ?? '') ||
    tag === '<!-- -->' ||
    /^<!-- attnswap:(ab|gate|calibration):[\w.=:-]+ -->$/.test(tag);
  return { all, strange: all.filter((tag) => !own(tag)) };
}

test('untrusted text is shown as text: no tag, link, row or mention of its own', () => {
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const markdown = verdictMarkdown(untrustedVerdict(text));
    const html = htmlOf(markdown);
    const { all, strange } = tagsOf(html);
    assert.deepEqual(strange, [], name);
    const count = (tag: string) => all.filter((each) => each === tag).length;
    assert.deepEqual([count('<tr>'), count('<details>'), count('</details>'), count('<pre>')], [3, 2, 2, 1], name);
    assert.doesNotMatch(html.replaceAll(/<pre>[^]*?<\/pre>/g, ''), /[@#][\w]/, name);
    assert.doesNotMatch(markdown, /[^\P{C}\n]/u, name);
    assert.doesNotMatch(markdown, /^\s*::|##\[/m, name);
    assert.equal(verdictMarkdown(untrustedVerdict(text)), markdown);
  }
});

test('what is escaped is shown as it was', () => {
  const text = `**a** _b_ [c](d) <e> "f" 'g' | \`h\` & ~i~ \\j $k$`;
  const html = htmlOf(verdictMarkdown(untrustedVerdict(text)));
  const shown = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  assert.ok(html.includes(`<code>${shown}</code>`), html);
});

test('a comment fits into GitHub’s, however much there is to say', () => {
  for (const character of ['@', '\u202e', 'x ', '|']) {
    const long = character.repeat(2000);
    const comparisons = Array.from({ length: 200 }, (_, index) =>
      sampleComparison({
        name: long,
        cell: `${long} ${index}`,
        reason: long,
        owner: long,
        outcome: 'regression',
        warnings: [`${index}${long}`],
      }),
    );
    const markdown = verdictMarkdown(
      sampleVerdict(comparisons, { summary: long, base: long, host: { cpu: { model: long, logicalCores: 1 } } }),
    );
    assert.ok(markdown.length < 65_536, `${markdown.length}`);
    assert.match(markdown, /\| and \d+ more \|/);
    assert.deepEqual(tagsOf(htmlOf(markdown)).strange, []);
  }
});

test('the summary shows every comparison, and untrusted text as text', () => {
  for (const outcome of outcomes) {
    const html = htmlOf(
      githubSummary(sampleVerdict([sampleComparison({ outcome, name: 'a' }), sampleComparison({ name: 'b' })], { outcome })),
    );
    assert.equal(html.match(/<tr>/g)?.length, 3);
    assert.match(html, new RegExp(`<td>${outcome}</td>`));
  }
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const summary = githubSummary(untrustedVerdict(text));
    assert.deepEqual(tagsOf(htmlOf(summary)).strange, [], name);
    assert.equal(tagsOf(htmlOf(summary)).all.filter((tag) => tag === '<tr>').length, 4, name);
    assert.ok(summary.length < 65_536, name);
    assert.equal(githubSummary(untrustedVerdict(text)), summary);
  }
});
