import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { withBackends, withWorkers } from './backend-options.ts';
import type { BackendFlags } from './backend-options.ts';
import { tuneSuite, tuningSuites } from './tune-suite.ts';
import type { TuneSuiteFlags } from './tune-suite.ts';
import { capture } from './capture.ts';
import type { CaptureFlags } from './capture.ts';
import { command, dimension, finish, percentage, wholeNumber, withWait } from './command.ts';
import { phases } from '../migration/migrate.ts';
import { goals } from '../migration/migration.ts';
import { isModelPath } from '../model/foreign-files.ts';
import { migrateModel } from './migrate.ts';
import type { MigrateFlags } from './migrate.ts';
import { sites } from './sites.ts';
import type { ModelFlags } from './sites.ts';
import { swap } from './swap.ts';
import type { SwapFlags } from './swap.ts';

/** Options of every command that opens a model. */
function withModel(given: Command, what = 'an ONNX file'): Command {
  return given
    .argument('<model>', what)
    .option('--dim <name=size>', 'of a dynamic dimension, for the small runs that show what sites do; repeat it for each', dimension)
    .option('--backend <backend>', 'see attnswap doctor', 'onnx-cpu');
}

/** Options that say what a model is run on. */
function withData(given: Command, isRequired = true): Command {
  const help = 'a module of items, a .safetensors, .npz or .npy (repeat it), or a .txt with --tokenizer';
  return given
    .addOption(new Option('--data <file>', help).argParser(repeated).makeOptionMandatory(isRequired))
    .option('--tokenizer <file>', 'the tokenizer.json that came with the model')
    .option('--lengths <list>', 'tokens (default: those that tensor files have, else 128,256,512)', lengthList)
    .option('--seed <n>', 'random seed', wholeNumber(0), 1);
}

function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function lengthList(text: string): number[] {
  const lengths = text.split(',').map(Number);
  if (lengths.every((length) => Number.isSafeInteger(length) && length >= 1)) return lengths;
  throw new InvalidArgumentError('expected whole numbers ≥ 1, such as 128,256,512');
}

/** `sites`, `capture`, `swap`, `tune`, `migrate`. */
export function addModelCommands(program: Command, adapters: readonly AdapterEntry[]): void {
  withModel(
    command(program, 'sites', 'find the attention in an ONNX model, and what each one does', ['attnswap sites model.onnx --json']),
  ).action(async (path: string, flags: ModelFlags) => finish(await sites(path, flags, adapters)));
  const swapExamples = [
    'attnswap swap model.onnx --variant dense.fused --out fused.onnx',
    "attnswap swap model.onnx --variant 'window:w=64' --site 0,2-3 --out windowed.onnx",
    "attnswap swap model.onnx --variant 0=dense.fused --variant '1-3=window:w=64' --out mixed.onnx",
    'attnswap swap model.onnx --variant dense.fused --data first.npz --data second.npz --out fused.onnx',
  ];
  const swapSummary = 'write a model with other attention, and the proof that nothing else changed';
  withData(withModel(command(program, 'swap', swapSummary, swapExamples)), false)
    .requiredOption('--variant <variant>', 'name[.kernel][:key=value,…], or sites=variant; repeat it for more', repeated)
    .option('--site <list>', 'such as 0,2-3 (default: all that can be swapped)')
    .requiredOption('--out <file>', 'the new model')
    .option('--items <n>', 'items of each length to compare the outputs on (default: all tensor files, else 8)', wholeNumber(1))
    .action(async (path: string, flags: SwapFlags) => finish(await swap(path, flags, adapters)));
  const captureExamples = ['attnswap capture model.onnx --data book.txt --tokenizer tokenizer.json --lengths 256 --out captured'];
  withData(withModel(command(program, 'capture', 'write the Q, K and V of sites on real input (safetensors)', captureExamples)))
    .option('--site <list>', 'such as 0,2-3 (default: all that can be swapped)')
    .option('--items <n>', 'items of each length (default: all tensor files, else 1)', wholeNumber(1))
    .requiredOption('--out <dir>', 'a folder')
    .action(async (path: string, flags: CaptureFlags) => finish(await capture(path, flags, adapters)));
  addMigration(program, adapters);
}

const defaultCandidates = ['dense.fused', 'dense.tiled', 'window:w=256', 'block-topk', 'topk:k=64'];

function addMigration(program: Command, adapters: readonly AdapterEntry[]): void {
  const data = '--data book.txt --tokenizer tokenizer.json --lengths 128,256,512';
  const commands = [
    {
      name: 'migrate',
      summary: 'all three phases for a model or a testbed (baseline, swap, tune), and a verdict',
      examples: [
        `attnswap migrate model.onnx ${data}`,
        "attnswap migrate model.onnx --data ./my.data.ts --candidate dense.fused --candidate 'window:w=128' --until swap",
        'attnswap migrate tune-recall',
      ],
    },
    {
      name: 'tune',
      summary: 'phase 3 for a model or a testbed, after whatever the folder does not hold yet',
      examples: [`attnswap tune model.onnx ${data}`, 'attnswap tune tune-recall', 'attnswap tune ./my.suite.ts --trainer torch-cpu'],
    },
  ] as const;
  for (const { name, summary, examples } of commands) {
    withBackends(
      withData(
        withModel(
          withWait(command(program, name, summary, examples)),
          `an ONNX file; or a testbed: ${tuningSuites.join(', ')}, or the path of a tuning suite`,
        ),
        false,
      ),
    )
      .addOption(new Option('--until <phase>', 'the last phase').choices(phases).default('tune'))
      .option('--dir <dir>', 'keeps every result; the same command goes on from there (default: runs/<model>.migration)')
      .option(
        '--candidate <variant>',
        `what may take the place of the attention; repeat it (default: ${defaultCandidates.join(', ')})`,
        repeated,
      )
      .option('--items <n>', 'items of each length that quality is judged on', wholeNumber(1), 8)
      .option('--compare-at <n>', 'the length at which candidates are timed (default: the longest)', wholeNumber(1))
      .option('--quality-margin <percent>', 'the largest loss of quality that passes', percentage, 2)
      .option('--margin <percent>', 'the largest slowdown or growth of memory that passes', percentage, 5)
      .addOption(new Option('--goal <goal>', 'what tuning saves within the quality margin').choices(goals).default('latency'))
      .option('--evaluations <n>', 'assignments that tuning may measure', wholeNumber(1), 24)
      .option('--max-blocks <n>', 'blocks of the last comparison', wholeNumber(2), 10)
      .option('--threads <n>', 'threads inside one operator', wholeNumber(1))
      .option('--trainer <backend>', 'of a testbed (default: the best that is here, torch before tfjs)')
      .action(async (path: string, flags: MigrateFlags & TuneSuiteFlags & BackendFlags) => {
        const known = await withWorkers(flags, adapters);
        if (!isModelPath(path)) return finish(await tuneSuite(path, flags, known));
        if (flags.data === undefined) throw new AttnswapError('USAGE', `${name} ${path}: --data is missing`, { hint: data });
        finish(await migrateModel(path, { ...flags, candidate: flags.candidate ?? defaultCandidates }, known));
      });
  }
}
