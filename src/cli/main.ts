import { CommanderError } from 'commander';
import { AttnswapError } from '../contract/errors.ts';
import { toolVersion } from '../loading/version.ts';
import { commandNames, loadCommands } from './commands/index.ts';
import { exitCodes, printError } from './console.ts';
import { buildProgram } from './program.ts';

const description = 'Replaces the attention in a model and measures the effect, each measurement in its own process.';

/** A usage error without a hint points to the help of its command. */
function withHelp(error: unknown, command: string | undefined): unknown {
  if (!(error instanceof AttnswapError) || error.code !== 'USAGE' || error.hint !== undefined) return error;
  return new AttnswapError('USAGE', error.message, { hint: `attnswap ${command ?? ''} --help` });
}

try {
  const [named = ''] = process.argv.slice(2);
  const version = await toolVersion();
  const isVersion = named === '--version' || named === '-V';
  const sections = isVersion ? [] : await loadCommands(commandNames.includes(named) ? named : undefined);
  await buildProgram(version, description, sections).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.pass : exitCodes.error;
  else {
    printError(withHelp(error, process.argv[2]));
    process.exitCode = exitCodes.error;
  }
}
