import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, untrustedTexts } from './fixtures/sample-verdict.ts';
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
      assert.equal(text.includes('1 of 2 comparisons need attention'), !plain);
      assert.equal(text.includes('since it is so'), outcome !== 'pass' && outcome !== 'improvement');
      assert.match(text, /```sh\nnpx attnswap gate \.\/bench\/lengths\.suite\.ts --base-dir \.\.\/base --junit junit\.xml\n```/);
    }
  }
});

test('a slowdown that the margin lets pass is no plain pass', () => {
  const slower = sampleComparison({ effect: { estimate: 0.02, low: 0.004, high: 0.041, confidence: 0.965 } });
  assert.match(verdictMarkdown(sampleVerdict([slower])), /\| pass \(slower, within the margin\) \|/);
});

test('a fence is longer than any in it, and arguments are quoted', () => {
  assert.equal(fenced('a ```` b', 'sh').split('\n')[0], '`````sh');
  assert.equal(shellCommand(['gate', "it's", 'a  b', '', 'window:w=256']), String.raw`gate 'it'\''s' 'a  b' '' window:w=256`);
});
