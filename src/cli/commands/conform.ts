import type { KernelResult, WorkerFindings } from '../../operations/conform.ts';
import type { ProtocolFinding } from '../../protocol/check-protocol.ts';
import { visible } from '../../text/untrusted.ts';
import { caseSets } from '../../variants/case-sets.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { choice, defineCommand, option, withDefault } from '../declare.ts';
import { moreBackends } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { watching } from '../work.ts';

export const conform = defineCommand({
  name: 'conform',
  summary: 'check workers against the protocol and kernels against float64',
  arguments: {},
  options: {
    worker: moreBackends.worker,
    backend: option('<backend>', 'check only this backend'),
    cases: withDefault('everyday', choice('<set>', caseSets, 'set of conformance cases')),
    out: outputs(['.json'], 'write the findings'),
    python: moreBackends.python,
  },
  examples: ["attnswap conform --worker 'python3 my_worker.py'", 'attnswap conform --backend torch-cpu'],
  async run({ out = [], worker, python, ...given }) {
    const { conform: check } = await import('../../operations/conform.ts');
    if (python !== undefined) process.env['ATTNSWAP_PYTHON'] = python;
    const record = await watching(given, (told) => check({ ...given, ...told, workers: worker }));
    if (given.json === true) printJson(record);
    else print([...record.protocol.flatMap(findingLines), ...record.kernels.flatMap(kernelLines)].join('\n'));
    await writeOutputs(out, { '.json': json(record) }, given);
    return record.conforms ? exitCodes.pass : exitCodes.error;
  },
});

function findingLines({ worker, findings }: WorkerFindings): string[] {
  const line = ({ what, reason }: ProtocolFinding) => (reason === undefined ? `✓ ${what}` : `✗ ${what}: ${visible(reason)}`);
  return [worker, ...findings.map(line)];
}

function kernelLines({ backend, variant, kernel, reason, mend, checked, failed = [], unsupported = [] }: KernelResult): string[] {
  const name = `${backend} ${variant}.${kernel}`;
  if (checked === undefined) return [`– ${name}: ${visible(reason ?? '')}`, ...(mend === undefined ? [] : [`    fix: ${mend}`])];
  const refused =
    unsupported.length === 0
      ? ''
      : `; ${unsupported.length} unsupported, such as ${unsupported[0]!.name}: ${visible(unsupported[0]!.reason)}`;
  if (failed.length === 0) return [`${checked === 0 ? '–' : '✓'} ${name}: ${checked} cases agree with float64${refused}`];
  return [
    `✗ ${name}: wrong in ${failed.length} of ${checked} cases${refused}`,
    ...failed.map((each) => `    ${each.name}: ${visible(each.reason)}`),
  ];
}
