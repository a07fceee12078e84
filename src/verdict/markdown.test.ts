import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../contract/verdict.ts';
import { htmlOf, tagsOf } from './fixtures/rendered-markdown.ts';
import { sampleComparison, sampleVerdict, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { commentMarker, verdictMarkdown } from './markdown.ts';
import { fenced, shellCommand } from './markdown-text.ts';

test('the marker is the first line, and the same for every verdict of a name', () => {
  const verdicts = [sampleVerdict([sampleComparison()]), sampleVerdict([], { outcome: 'error', exitCode: 5, seed: 7 })];
  for (const verdict of verdicts) assert.equal(verdictMarkdown(verdict).split('\n')[0], '<!-- attnswap:gate:lengths -->');
  const names = [...Object.values(untrustedTexts), 'lengths', 'length', 'a b', 'a-b', 'a → b'];
  const markers = names.map((name) => commentMarker({ kind: 'ab', name }));
  assert.equal(new Set(markers).size, names.length);
  for (const marker of markers) assert.match(marker, /^<!-- attnswap:ab:[\w.=:]+(-[\w.=:]+)* -->$/);
});

test('every outcome but a plain pass is told with its reason', () => {
  for (const outcome of outcomes) {
    for (const decides of [true, false]) {
      const comparison = sampleComparison({ outcome, decides, reason: 'since it is so', owner: 'team-x' });
      const text = verdictMarkdown(sampleVerdict([comparison, sampleComparison({ name: 'other' })], { outcome, summary: 'So it is.' }));
      assert.match(text, new RegExp(`^\\*\\*${outcome[0]!.toUpperCase()}${outcome.slice(1)}\\.\\*\\* So it is\\.$`, 'm'));
      const plain = outcome === 'pass' && decides;
      assert.equal(text.includes('1 of 2 comparisons are not a plain pass'), !plain);
      assert.equal(text.includes('since it is so'), outcome !== 'pass' && outcome !== 'improvement');
      assert.match(text, /```sh\nnpx attnswap gate \.\/bench\/lengths\.suite\.ts --base-dir \.\.\/base --junit junit\.xml\n```/);
    }
  }
});

test('a slowdown that the margin lets pass is no plain pass', () => {
  const slower = sampleComparison({ effect: { estimate: 0.02, low: 0.004, high: 0.041, confidence: 0.965 } });
  assert.match(verdictMarkdown(sampleVerdict([slower])), /\| pass \(slower, within the margin\) \|/);
});

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

test('a fence is longer than any in it, and arguments are quoted', () => {
  assert.equal(fenced('a ```` b', 'sh').split('\n')[0], '`````sh');
  assert.equal(shellCommand(['gate', "it's", 'a  b', '', 'window:w=256']), String.raw`gate 'it'\''s' 'a  b' '' window:w=256`);
});
