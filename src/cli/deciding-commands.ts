import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { AdapterEntry } from '../contract/adapter.ts';
import { dtypes } from '../contract/shape.ts';
import { defaultBlockSeconds } from '../measure/pair-block.ts';
import { ab } from './ab.ts';
import type { AbFlags } from './ab.ts';
import { withBackends, withWorkers } from './backend-options.ts';
import type { BackendFlags } from './backend-options.ts';
import { listBaselines, saveRuns, showBaseline } from './baseline.ts';
import type { BaselineFlags } from './baseline.ts';
import { calibrate } from './calibrate.ts';
import type { CalibrateFlags } from './calibrate.ts';
import { command, dimension, finish, percentage, wholeNumber, withWait } from './command.ts';
import type { CommonFlags } from './console.ts';
import { gate } from './gate.ts';
import type { GateFlags } from './gate.ts';
import { history } from './history.ts';

const storeHelp = 'where calibrations and baselines are kept (default: .attnswap)';

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 600)) throw new InvalidArgumentError('expected seconds, above 0 and at most 600');
  return value;
}

/** Options of every command that gives a verdict. */
function withVerdict(given: Command): Command {
  return withWait(given)
    .option('--out <file>', 'the verdict as JSON')
    .option('--junit <file>', 'JUnit XML')
    .option('--sarif <file>', 'SARIF 2.1.0')
    .option('--markdown <file>', 'a comment for a pull request')
    .option('--github', 'annotations on standard error, and a step summary')
    .option('--max-blocks <n>', 'blocks at the last look', wholeNumber(2), 20)
    .option('--block-seconds <s>', 'sampling of one block', seconds, defaultBlockSeconds)
    .option('--store <dir>', storeHelp);
}

/** `ab`, `gate`, `calibrate`, `baseline`, `history`. */
export function addDecidingCommands(program: Command, adapters: readonly AdapterEntry[]): void {
  addAb(program, adapters);
  addGate(program, adapters);
  withWait(
    command(program, 'calibrate', "measure this host's noise floor: equal arms, paired", [
      'attnswap calibrate ci',
      'attnswap calibrate ./my.suite.ts --blocks 40',
    ]),
  )
    .argument('[suite]', 'whose timed cells are measured', 'ci')
    .option('--blocks <n>', 'blocks a cell', wholeNumber(3), 20)
    .option('--seed <n>', 'of the order of rounds', wholeNumber(0), 1)
    .option('--threads <n>', 'threads inside one operator', wholeNumber(1))
    .option('--store <dir>', storeHelp)
    .action(async (suite: string, flags: CalibrateFlags) => finish(await calibrate(suite, flags, adapters)));
  addBaseline(program);
  command(program, 'history', 'find when latency changed over stored runs, and between which two', ['attnswap history runs/*.run.json'])
    .argument('<runs...>', 'run records; each host is looked at by itself')
    .action(async (files: string[], flags: CommonFlags) => finish(await history(files, flags)));
}

function addAb(program: Command, adapters: readonly AdapterEntry[]): void {
  const examples = [
    "attnswap ab dense.fused 'window:w=256' --length 4096 --backend onnx-cpu",
    'attnswap ab model.onnx migrated.onnx --dim batch=1 --dim sequence=128',
    'attnswap ab dense.fused --length 1024 --base-dir ../base',
    'attnswap ab dense.fused dense.fused --length 640    # A/A: what this host calls equal',
  ];
  withBackends(withVerdict(command(program, 'ab', 'compare two cells in paired blocks of fresh processes: A is the base', examples)))
    .argument('<A>', 'the base: name[.kernel][:key=value,…], or a model.onnx')
    .argument('[B]', 'the new one (default: A, from elsewhere)')
    .option('--length <n>', 'tokens', wholeNumber(1), 1024)
    .option('--dim <name=size>', "of a model's symbolic dimension; repeat it for each", dimension)
    .option('--backend <backend>', 'see attnswap doctor', 'onnx-cpu')
    .option('--base-backend <backend>', "A's, where it differs")
    .option('--adapter <file>', "a module that exports B's adapter")
    .option('--base-adapter <file>', "a module that exports A's adapter")
    .option('--base-dir <dir>', 'a checkout or installation whose attnswap, and whose files, A uses')
    .option('--margin <percent>', 'the largest slowdown that passes', percentage, 5)
    .option('--inputs <kind>', 'gaussian, calibrated or captured:<file>', 'calibrated')
    .option('--full', 'not causal')
    .option('--dtype <dtype>', dtypes.join(', '), 'f32')
    .option('--batch <n>', 'batch', wholeNumber(1), 1)
    .option('--heads <n>', 'query heads', wholeNumber(1), 8)
    .option('--kv-heads <n>', 'key/value heads (default: as many)', wholeNumber(1))
    .option('--head-dim <n>', 'head dimension', wholeNumber(1), 64)
    .option('--seed <n>', 'of inputs and of the order of rounds', wholeNumber(0), 1)
    .option('--threads <n>', 'threads inside one operator', wholeNumber(1))
    .action(async (a: string, b: string | undefined, flags: AbFlags & BackendFlags) =>
      finish(await ab(a, b, flags, await withWorkers(flags, adapters))),
    );
}

function addGate(program: Command, adapters: readonly AdapterEntry[]): void {
  const examples = [
    'attnswap gate ci --base-dir ../base --junit junit.xml --sarif attnswap.sarif',
    'attnswap gate ./my.suite.ts --baseline main',
    'attnswap gate ci                        # A/A: this checkout against itself',
  ];
  withVerdict(command(program, 'gate', "measure and judge a suite's gates, for CI", examples))
    .argument('<suite>', 'a built-in suite, or the path of a suite file')
    .option('--base-dir <dir>', 'the base: a checkout or installation, measured now, in pairs (default: this checkout)')
    .option('--baseline <name>', 'the base: stored runs of this very host')
    .option('--seed <n>', 'of the order of rounds', wholeNumber(0), 1)
    .option('--threads <n>', 'threads inside one operator', wholeNumber(1))
    .action(async (suite: string, flags: GateFlags) => finish(await gate(suite, flags, adapters)));
}

function addBaseline(program: Command): void {
  const baseline = program
    .command('baseline')
    .summary('promote runs, and see what is stored')
    .description('Promote runs, and see what is stored.');
  command(baseline, 'save', 'promote runs: whole, clean, of one host and suite', [
    "attnswap baseline save main runs/ci.run.json --reason 'release 1.2'",
    "attnswap baseline save ci runs/ci-*.run.json --portable --store . --reason 'release 1.2'",
  ])
    .argument('<name>', 'of the baseline')
    .argument('<runs...>', 'run records, from attnswap bench')
    .option('--reason <text>', 'why')
    .option('--by <who>', 'who (default: the user)')
    .option('--replace', 'begin anew instead of adding')
    .option('--portable', 'keep only the figures that carry to other machines, small enough to commit')
    .option('--store <dir>', storeHelp)
    .action(async (name: string, files: string[], flags: BaselineFlags) => finish(await saveRuns(name, files, flags)));
  command(baseline, 'list', 'list the stored baselines', ['attnswap baseline list'])
    .option('--store <dir>', storeHelp)
    .action(async (flags: BaselineFlags) => finish(await listBaselines(flags)));
  command(baseline, 'show', 'show what a baseline holds', ['attnswap baseline show main'])
    .argument('<name>', 'of the baseline')
    .option('--store <dir>', storeHelp)
    .action(async (name: string, flags: BaselineFlags) => finish(await showBaseline(name, flags)));
}
