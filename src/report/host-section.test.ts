import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostSection } from './host-section.ts';

/** What is said of workers. */
function told(...measured: Parameters<typeof hostSection>[2] & object): string | undefined {
  const [terms] = hostSection({}, [], measured).parts;
  return terms?.kind === 'terms' ? terms.terms.find(({ term }) => term === 'workers')?.text : undefined;
}

test('a report tells how workers were started, where the record does', () => {
  assert.equal(told(), undefined);
  assert.equal(told({}, { workers: undefined }), undefined);
  assert.equal(told({ workers: 'forked' }, {}, { workers: 'forked' }), 'forked from a process that had imported their libraries');
  assert.equal(told({ workers: 'fresh' }), 'started anew');
  assert.equal(
    told({ workers: 'fresh' }, { workers: 'forked' }),
    'some forked from a process that had imported their libraries, others started anew',
  );
});

test('a report tells a CPU quota where the record has one', () => {
  const quota = (container: object) => {
    const [terms] = hostSection({ container }, []).parts;
    return terms?.kind === 'terms' ? terms.terms.find(({ term }) => term === 'CPU quota')?.text : undefined;
  };
  assert.equal(quota({ cgroup: 'v2', cpus: 1.5 }), 'the time of 1.5 processors');
  assert.equal(quota({ cgroup: 'v2', cpus: null }), undefined);
});
