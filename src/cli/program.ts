import { Argument, Command, Option } from 'commander';
import { AttnswapError } from '../contract/errors.ts';
import type { Section } from './commands/index.ts';
import type { ArgumentSpec, CommandSpec, OptionSpec } from './declare.ts';
import { wrapped } from '../text/layout.ts';
import { remark } from './console.ts';

const everyCommand = { json: { help: '', hidden: true }, quiet: { help: '', hidden: true } } as const;
const everyCommandHelp = 'Every command takes --json (print the result as JSON), --quiet (no progress, no notes) and --help.';

/** What stands above the parts of a command of two words. */
export const parents: Readonly<Record<string, string>> = {
  baseline: 'store runs as a baseline, and show what is stored',
  fleet: 'measure a suite on many machines, through a Redis queue',
  store: 'store run records and verdicts, each once, and list them',
};

/** The whole command line; what a command resolves to becomes the exit code. */
export function buildProgram(version: string, description: string, sections: readonly Section[]): Command {
  const program = new Command('attnswap')
    .version(version)
    .description(description)
    .exitOverride()
    .configureHelp({ helpWidth: 100, visibleCommands: withoutHelp })
    // Whoever reads the list has found it; the list has to fit one screen, so that --version, which everyone knows, is left out, too.
    .addHelpOption(new Option('-h, --help').hideHelp());
  program.options.find(({ long }) => long === '--version')?.hideHelp();
  program.showHelpAfterError('(attnswap --help lists the commands)');
  for (const { heading, commands } of sections) {
    program.commandsGroup(`${heading}:`);
    for (const spec of commands) addTo(parentOf(program, spec), spec);
  }
  return program;
}

/** `baseline` of `baseline save`; made with its first part. */
function parentOf(program: Command, { name }: CommandSpec): Command {
  const [parent, child] = name.split(' ');
  if (child === undefined) return program;
  const known = program.commands.find((command) => command.name() === parent);
  const summary = parents[parent!]!;
  return known ?? program.command(parent!).summary(summary).description(sentence(summary)).configureHelp({ helpWidth: 100 });
}

function addTo(parent: Command, spec: CommandSpec): void {
  const command = parent.command(spec.name.split(' ').at(-1)!).summary(spec.summary).description(sentence(spec.summary));
  command
    .configureHelp({ helpWidth: 100, formatItemList: listed, optionDescription: ({ description }) => description })
    .addHelpOption(new Option('-h, --help').hideHelp());
  command.showHelpAfterError(`(attnswap ${spec.name} --help lists its arguments and options)`);
  const names = Object.keys(spec.arguments);
  for (const [name, argument] of Object.entries(spec.arguments)) command.addArgument(argumentOf(name, argument));
  for (const [name, option] of Object.entries({ ...spec.options, ...everyCommand }).toSorted(byGroup)) {
    for (const each of optionsOf(name, option)) command.addOption(each);
  }
  command.addHelpText('after', closing(spec));
  command.action(async (...values: unknown[]) => {
    const given = Object.fromEntries(names.map((name, index) => [name, values[index]]));
    const flags = command.opts<Record<string, unknown>>();
    try {
      refuseForeign(spec, flags);
      await requirePlaces(spec, flags);
      noteOld(spec, flags);
      process.exitCode = await spec.run({ ...given, ...flags });
    } catch (error) {
      throw withHelp(error, spec);
    }
  });
}

/** A usage error without a hint points to the help of its command. */
function withHelp(error: unknown, { name }: CommandSpec): unknown {
  if (!(error instanceof AttnswapError) || error.code !== 'USAGE' || error.hint !== undefined) return error;
  return new AttnswapError('USAGE', error.message, { hint: `attnswap ${name} --help` });
}

/** `attnswap help bench` works, and is `attnswap bench --help`: one of them is listed. */
function withoutHelp({ commands }: Command): Command[] {
  return [...commands];
}

/** A heading and its options, close to the next heading: so that all of a command fits one screen. */
function listed(heading: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [heading, ...items];
}

/** Refuses what is another command's. @throws USAGE */
function refuseForeign({ name: command, options }: CommandSpec, flags: Readonly<Record<string, unknown>>): void {
  for (const [name, { refused }] of Object.entries(options)) {
    if (refused !== undefined && flags[name] !== undefined)
      throw new AttnswapError('USAGE', `${command} does not take --${kebab(name)}`, { hint: refused });
  }
}

/** Notes deprecated options. */
function noteOld({ options }: CommandSpec, flags: Readonly<Record<string, unknown>>): void {
  for (const [name, { deprecated }] of Object.entries(options)) {
    if (deprecated !== undefined && flags[name] !== undefined) remark(`note: --${kebab(name)} is deprecated: ${deprecated}`, flags);
  }
}

/** Whatever a command writes, it can be written: found before anything is measured. @throws FILE_UNWRITABLE */
async function requirePlaces({ options }: CommandSpec, flags: Readonly<Record<string, unknown>>): Promise<void> {
  const places = Object.entries(options).flatMap(([name, { writes }]) =>
    writes === undefined || flags[name] === undefined ? [] : [flags[name]].flat().map((value) => ({ writes, path: pathOf(value) })),
  );
  if (places.length === 0) return;
  const { isFolder, requireWritableFile, requireWritableFolder } = await import('../files/writable.ts');
  for (const { writes, path } of places) {
    const toFolder = writes === 'folder' || (writes === 'either' && (await isFolder(path)));
    await (toFolder ? requireWritableFolder(path) : requireWritableFile(path));
  }
}

/** Of an output, or of a path itself. */
function pathOf(value: unknown): string {
  return typeof value === 'object' && value !== null && 'path' in value ? String(value.path) : String(value);
}

/** Common options first, then the headings in the order in which they appear. */
function byGroup([, a]: [string, OptionSpec<unknown>], [, b]: [string, OptionSpec<unknown>]): number {
  return Number(a.group !== undefined) - Number(b.group !== undefined);
}

function argumentOf(name: string, { help, kind }: ArgumentSpec<unknown>): Argument {
  const shown = kebab(name);
  return new Argument({ required: `<${shown}>`, optional: `[${shown}]`, rest: `<${shown}...>`, optionalRest: `[${shown}...]` }[kind], help);
}

/** The option, and its opposite where it has one. */
function optionsOf(name: string, spec: OptionSpec<unknown>): Option[] {
  const flags = `--${kebab(name)}${spec.value === undefined ? '' : ` ${spec.value}`}`;
  const option = new Option(flags, (spec.help + noteOn(spec)).replace(') (', '; '));
  if (spec.parse !== undefined) option.argParser(spec.parse as (text: string, before: unknown) => unknown);
  if (spec.choices !== undefined) option.choices(spec.choices);
  option.makeOptionMandatory(spec.required === true);
  if (spec.hidden === true || spec.deprecated !== undefined || spec.refused !== undefined) option.hideHelp();
  if (spec.group !== undefined) option.helpGroup(`${spec.group}:`);
  return spec.negatable === true ? [option, new Option(`--no-${kebab(name)}`).hideHelp()] : [option];
}

/** ` (latency, memory; default: latency)`: what an option may be, and whether it may be left out. */
function noteOn({ choices = [], default: value, required }: OptionSpec<unknown>): string {
  const notes = [
    ...(choices.length === 0 ? [] : [choices.join(', ')]),
    ...(required === true ? ['required'] : []),
    ...(value === undefined ? [] : [`default: ${[value].flat().join(',')}`]),
  ];
  return notes.length === 0 ? '' : ` (${notes.join('; ')})`;
}

/** Examples, what every command takes, and what the exit codes mean. */
function closing({ examples, exits = {} }: CommandSpec): string {
  const codes = { 0: 'pass', ...exits, 5: 'error' };
  const said = Object.entries(codes).map(([code, meaning]) => `${code} ${meaning}`);
  const exitHelp = wrapped(`Exit codes: ${said.join(', ')}, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).`);
  return `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n${everyCommandHelp}\n${exitHelp}`;
}

function sentence(summary: string): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}.`;
}

export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
