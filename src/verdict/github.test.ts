import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, untrustedTexts, untrustedVerdict } from './fixtures/sample-verdict.ts';
import { githubCommands } from './github.ts';

const commandLine = /^::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)$/;

/** A command as GitHub's runner reads it back. */
function read(line: string): { command: string; title: string; message: string } {
  const [, command, title, message] = commandLine.exec(line) ?? assert.fail(line);
  const data = (text: string) => text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
  return { command: command!, title: data(title!.replaceAll('%3A', ':').replaceAll('%2C', ',')), message: data(message!) };
}

function lines(text: string): string[] {
  return text === '' ? [] : text.slice(0, -1).split('\n');
}

test('every outcome is an error, a warning, a notice or silence', () => {
  for (const outcome of outcomes) {
    const commands = (changes: object) =>
      lines(githubCommands(sampleVerdict([sampleComparison({ outcome, reason: 'a: b, 5 % c', ...changes })]))).map(read);
    if (outcome === 'pass' || outcome === 'improvement') {
      assert.deepEqual(commands({}), []);
      continue;
    }
    const [found, ...more] = commands({});
    assert.deepEqual(more, []);
    assert.equal(found!.command, outcome === 'inconclusive' || outcome === 'refused' ? 'warning' : 'error');
    assert.equal(found!.title, `${outcome}: window.tiled:w=256 (latency)`);
    assert.equal(found!.message.split('\n')[0], `${outcome}: a: b, 5 % c`);
    assert.equal(commands({ decides: false })[0]!.command, 'notice');
  }
});

test('at most ten of a kind are written, and the last says how many are left', () => {
  const many = Array.from({ length: 25 }, (_, index) => sampleComparison({ outcome: 'regression', cell: `cell ${index}` }));
  const found = lines(githubCommands(sampleVerdict(many, { outcome: 'regression', exitCode: 1 }))).map(read);
  assert.equal(found.length, 10);
  assert.match(found.at(-1)!.message, /^and 16 more/);
});

test('a gate that fails always has an error', () => {
  const found = lines(githubCommands(sampleVerdict([], { exitCode: 5, outcome: 'error', summary: 'Nothing was compared.' }))).map(read);
  assert.deepEqual(found, [{ command: 'error', title: 'attnswap gate lengths', message: 'Nothing was compared.' }]);
});

test('untrusted text stays inside its command', () => {
  for (const [name, text] of Object.entries(untrustedTexts)) {
    const rendered = githubCommands(untrustedVerdict(text));
    const found = lines(rendered).map(read);
    assert.deepEqual(
      found.map(({ command }) => command),
      ['error', 'warning', 'warning', 'notice'],
      name,
    );
    assert.ok(rendered.length < 50_000, name);
    assert.doesNotMatch(rendered, /[^\P{C}\n]/u, name);
    assert.equal(githubCommands(untrustedVerdict(text)), rendered);
  }
  const [first] = lines(githubCommands(untrustedVerdict('100 %0A, a: b'))).map(read);
  assert.match(first!.title, /100 %0A, a: b/);
  assert.match(first!.message, /100 %0A, a: b/);
});
