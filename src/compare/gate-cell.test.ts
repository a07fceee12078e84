import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { plainRule } from '../decide/rule.ts';
import type { CellArm } from '../measure/arm.ts';
import { pairProtocol } from '../measure/pair-messages.ts';
import type { PairAnswer } from '../measure/pair-messages.ts';
import { gateCell } from './gate-cell.ts';
import type { KnownFacts } from './gate-cell.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-facts-'));
after(() => rmSync(folder, { recursive: true }));

/** An arm whose worker gives one answer, and writes down that it was asked. */
function arm(name: string, answer: PairAnswer): CellArm {
  const [worker, log] = [join(folder, `${name}.mjs`), join(folder, `${name}.log`)];
  const answering = `process.on('message', () => { appendFileSync(${JSON.stringify(log)}, 'x'); process.send(${JSON.stringify(answer)}); });`;
  writeFileSync(worker, `import { appendFileSync } from 'node:fs';\n${answering}\n`);
  writeFileSync(log, '');
  return { request: { cell: { id: 'cell' } }, worker, stageWorker: worker, cwd: folder } as CellArm;
}

const asked = (name: string) => readFileSync(join(folder, `${name}.log`), 'utf8').length;
const subject = { cell: 'cell', name: 'kernel' };
const stated: PairAnswer = { answer: 'prepared', protocol: pairProtocol, warnings: [], scoredPairs: 10 };

for (const [status, times] of [
  ['unsupported', 1],
  ['mismatch', 1],
  ['failed', 2],
  ['timed-out', 2],
] as const) {
  test(`an arm that is ${status} is asked ${times === 1 ? 'once' : 'again'} by the next metric, and one that stated its figures never`, async () => {
    const arms = { base: arm(`base ${status}`, stated), new: arm(`new ${status}`, { answer: 'fault', status, reason: 'because' }) };
    const facts: KnownFacts = new Map();
    const options = { facts, seed: 1, floor: null, family: 1, timeoutSeconds: 60, wasteRows: 1 };
    for (let metric = 0; metric < 2; metric++) {
      const { reason } = await gateCell(arms, subject, plainRule('scored-pairs', 0.05), options);
      assert.equal(reason, `new: ${status}: because`);
    }
    assert.deepEqual([asked(`base ${status}`), asked(`new ${status}`)], [1, times]);
  });
}
