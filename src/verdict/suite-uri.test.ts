import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suiteUri } from './suite-uri.ts';

const uri = (...command: string[]) => suiteUri({ kind: 'gate', command: ['gate', ...command] });

test('a suite file inside the working directory is a relative URI', () => {
  assert.equal(uri('./bench/my suite.suite.ts', '--base-dir', '../base'), 'bench/my%20suite.suite.ts');
  assert.equal(uri('a.mjs'), 'a.mjs');
  assert.equal(uri(String.raw`bench\a.suite.ts`), 'bench/a.suite.ts');
  assert.equal(uri('--github', './a.suite.ts'), 'a.suite.ts');
  assert.equal(uri('./\ud800.ts'), '%EF%BF%BD.ts');
});

test('a built-in suite, a file elsewhere and an unclear command have none', () => {
  assert.equal(uri('lengths', '--junit', 'junit.xml'), undefined);
  assert.equal(uri('lengths', '--out', 'x.ts'), undefined);
  assert.equal(uri('../a.suite.ts'), undefined);
  assert.equal(uri('/home/a.suite.ts'), undefined);
  assert.equal(uri('C:/a.suite.ts'), undefined);
  assert.equal(uri('--adapter', './b.ts', './a.suite.ts'), undefined);
  assert.equal(uri(), undefined);
  assert.equal(suiteUri({ kind: 'ab', command: ['ab', './a.ts'] }), undefined);
});
