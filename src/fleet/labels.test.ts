import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSelected, labelValue, ownLabels, parseLabels, parseSelector, sameLabels } from './labels.ts';

const host = { name: 'alpha', labels: { os: 'linux', cpu: 'AMD-EPYC-7763', gpu: 'none' } };

test('a selector matches by every term, whatever the case, with * for anything', () => {
  for (const text of ['cpu=*', 'cpu=*epyc*', 'gpu=none,os=LINUX', 'host=alpha', 'host=al*'])
    assert.ok(isSelected(host, parseSelector(text)), text);
  for (const text of ['cpu=epyc', 'gpu=none,os=darwin', 'host=beta', 'rack=3', 'gpu=n.ne'])
    assert.ok(!isSelected(host, parseSelector(text)), text);
});

test('labels are names and values that are safe to show and to match; anything else is refused', () => {
  assert.deepEqual(parseLabels('gpu=none, rack=3'), { gpu: 'none', rack: '3' });
  assert.deepEqual(parseLabels(''), {});
  for (const text of ['gpu', 'gpu=', '=none', 'GPU=none', 'gpu=no ne', 'gpu=../none', 'gpu=\u202enone', `gpu=${'a'.repeat(81)}`])
    assert.throws(() => parseLabels(text), { code: 'USAGE' }, text);
  for (const text of ['cpu', 'cpu=', 'cpu=a b', 'cpu=(a+)+$']) assert.throws(() => parseSelector(text), { code: 'USAGE' }, text);
});

test('a host has labels of its own; one host may work for another where all are the same', () => {
  const own = ownLabels();
  assert.deepEqual(Object.keys(own), ['os', 'arch', 'cpu']);
  for (const value of Object.values(own)) assert.match(value, labelValue);
  assert.ok(sameLabels({ a: '1', b: '2' }, { b: '2', a: '1' }));
  assert.ok(!sameLabels({ a: '1' }, { a: '1', b: '2' }));
});
