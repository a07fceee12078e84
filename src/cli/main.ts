import { CommanderError } from 'commander';
import { toolVersion } from '../loading/version.ts';
import { commandNames, loadCommands } from './commands/index.ts';
import { exitCodes, printError } from './console.ts';
import { buildProgram } from './program.ts';

const description = 'Replaces the attention in a model and measures the effect, each measurement in its own process.';

try {
  const [named = ''] = process.argv.slice(2);
  const version = await toolVersion();
  const isVersion = named === '--version' || named === '-V';
  const sections = isVersion ? [] : await loadCommands(commandNames.includes(named) ? named : undefined);
  await buildProgram(version, description, sections).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.pass : exitCodes.error;
  else {
    printError(error);
    process.exitCode = exitCodes.error;
  }
}
