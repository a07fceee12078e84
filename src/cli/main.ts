import { Command, CommanderError, Option } from 'commander';
import { adapters } from '../../adapters/index.ts';
import { AttnswapError } from '../contract/errors.ts';
import { attend } from './attend.ts';
import type { AttendFlags } from './attend.ts';
import { bench } from './bench.ts';
import type { BenchFlags } from './bench.ts';
import { withBackends, withWorkers } from './backend-options.ts';
import type { BackendFlags } from './backend-options.ts';
import { addCompare } from './compare.ts';
import { exitCodes, printError } from './console.ts';
import type { CommonFlags } from './console.ts';
import { command, exitHelp, finish, wholeNumber, withWait } from './command.ts';
import { addDecidingCommands } from './deciding-commands.ts';
import { conform } from './conform.ts';
import type { ConformFlags } from './conform.ts';
import { doctor } from './doctor.ts';
import { builtInSuites, toolVersion } from './load-suite.ts';
import { caseSets } from '../variants/cases.ts';
import { addModelCommands } from './model-commands.ts';
import { addReport } from './report.ts';
import { waste } from './waste.ts';
import type { WasteFlags } from './waste.ts';

function buildProgram(version: string): Command {
  const program = new Command('attnswap').version(version).exitOverride().showHelpAfterError('(attnswap --help lists the commands)');
  program.description(
    'Benchmarks attention mechanisms: latency, peak memory, wasted attention and error, each cell in a process of its own; compares them, and gates changes.',
  );
  program.addHelpText('after', exitHelp);
  withBackends(
    command(program, 'doctor', 'show what this machine can run, what it cannot, and what mends it', [
      'attnswap doctor',
      'attnswap doctor --json',
      "attnswap doctor --worker 'python3 my_worker.py'",
    ]),
  ).action(async (flags: CommonFlags & BackendFlags) => finish(await doctor(flags, await withWorkers(flags, adapters))));
  withWait(
    withBackends(
      command(program, 'bench', 'measure a suite and print its table', [
        'attnswap bench lengths',
        'attnswap bench ./my.suite.ts --csv my.csv',
        'attnswap bench lengths --resume',
      ]),
    ),
  )
    .argument('<suite>', `${builtInSuites.join(', ')}, or the path of a suite file`)
    .option('--out <file>', 'the run record (default: runs/<suite>.run.json)')
    .option('--csv <file>', 'one row a cell, for spreadsheets')
    .option('--resume', 'keep what the record holds already, and measure the rest')
    .option('--threads <n>', 'threads inside one operator', wholeNumber(1))
    .action(async (suite: string, flags: BenchFlags & BackendFlags) =>
      finish(await bench(suite, flags, await withWorkers(flags, adapters))),
    );
  const attendExample = "attnswap attend --variant 'topk:k=32' --backend onnx-cpu --inputs in.safetensors --out out.safetensors --causal";
  withBackends(command(program, 'attend', 'run one attention over your own Q, K and V (safetensors)', [attendExample]))
    .requiredOption('--variant <variant>', 'name[.kernel][:key=value,…]')
    .requiredOption('--inputs <file>', 'tensors q, k, v; optional mask, gate.u, gate.w, gate.b; metadata scale')
    .requiredOption('--out <file>', 'where tensor o is written')
    .option('--backend <backend>', 'see attnswap doctor', 'onnx-cpu')
    .option('--causal', 'query i sees keys up to its own position (default: as the file says)')
    .option('--dtype <dtype>', 'f32, f16 or bf16', 'f32')
    .option('--seed <n>', 'of a gate that the file does not hold', wholeNumber(0))
    .action(async (flags: AttendFlags & BackendFlags) => finish(await attend(flags, await withWorkers(flags, adapters))));
  command(program, 'waste', 'measure wasted attention over your own Q, K and V (safetensors)', [
    'attnswap waste --inputs in.safetensors --causal --rows all --json',
  ])
    .requiredOption('--inputs <file>', 'tensors q, k, v; optional mask')
    .option('--variant <variant>', 'whose attention is measured', 'dense')
    .option('--causal', 'query i sees keys up to its own position (default: as the file says)')
    .option('--rows <n|all>', 'rows to measure, sampled by head and position', '512')
    .option('--seed <n>', 'of the sampling', wholeNumber(0))
    .action(async (flags: WasteFlags) => finish(await waste(flags, adapters)));
  withBackends(
    command(program, 'conform', 'check workers against the protocol, and kernels against the float64 reference', [
      "attnswap conform --worker 'python3 my_worker.py'",
      'attnswap conform --backend torch-cpu',
    ]),
  )
    .option('--backend <backend>', 'only this one')
    .addOption(new Option('--cases <set>', 'how many of the conformance cases').choices(caseSets).default('everyday'))
    .action(async (flags: ConformFlags) => finish(await conform(flags, adapters)));
  addDecidingCommands(program, adapters);
  addModelCommands(program, adapters);
  addReport(program);
  addCompare(program);
  return program;
}

/** A usage error without a hint points to the help of its command. */
function withHelp(error: unknown, command: string | undefined): unknown {
  if (!(error instanceof AttnswapError) || error.code !== 'USAGE' || error.hint !== undefined) return error;
  return new AttnswapError('USAGE', error.message, { hint: `attnswap ${command ?? ''} --help` });
}

try {
  await buildProgram(await toolVersion()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.pass : exitCodes.error;
  else {
    printError(withHelp(error, process.argv[2]));
    process.exitCode = exitCodes.error;
  }
}
