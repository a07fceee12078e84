import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { AdapterEntry } from '../contract/adapter.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { supportApart } from './support-apart.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-support-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An adapter of one kernel that does `doing` when its backend's status is asked. */
function entry(name: string, doing: string): AdapterEntry {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(
    path,
    `console.error('driver of ${name}');
export const adapter = {
  name: '${name}', backends: ['${name}'], kernels: [{ variant: 'dense', kernel: 'naive' }],
  async status() { ${doing}; return { available: true, version: '1', device: 'CPU', threads: 1, dtypes: ['f32'] }; },
};`,
  );
  const module = pathToFileURL(path).href;
  return { name, backends: [name], module, load: () => loadAdapter(module) };
}

const outcomes = async (entries: readonly AdapterEntry[]) =>
  (await supportApart(entries)).map(({ backend, status, kernels: [kernel] }) => [
    backend,
    status.available ? kernel!.state : `${kernel!.state}: ${status.reason}`,
  ]);

test('adapters share a process, which is not this one', async () => {
  const shared = 'globalThis.asked = (globalThis.asked ?? 0) + 1; if (name > "a" && globalThis.asked !== 2) throw new Error("alone")';
  const entries = ['a', 'b'].map((name) => entry(name, `const name = "${name}"; ${shared}`));
  assert.deepEqual(await outcomes(entries), [
    ['a', 'runs'],
    ['b', 'runs'],
  ]);
  assert.ok(!('asked' in globalThis));
});

test('one that crashes, throws or ends its process leaves the others as they are, and says how', async () => {
  const entries = [
    entry('good', ''),
    entry('killed', "process.kill(process.pid, 'SIGKILL')"),
    entry('thrown', "throw new Error('no driver')"),
  ];
  const [good, killed, thrown, ended] = await outcomes([...entries, entry('ended', 'process.exit(3)')]);
  assert.deepEqual(good, ['good', 'runs']);
  assert.match(killed![1]!, /^needs: the worker was ended by SIGKILL .*driver of killed/);
  assert.match(thrown![1]!, /^needs: Error: no driver/);
  assert.match(ended![1]!, /^needs: the worker exited with code 3/);
});
