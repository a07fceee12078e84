import { builtInSuites, builtInTunings } from '../loading/built-in.ts';
import { loadCommands } from './commands/index.ts';
import type { CommandSpec } from './declare.ts';
import { kebab, parents } from './program.ts';

/** What may follow a command, in words. */
interface Words {
  readonly name: string;
  readonly summary: string;
  readonly words: readonly string[];
}

/** What a command's first argument may be, where it is one of a few. */
const firstArguments: Readonly<Record<string, readonly string[]>> = {
  bench: builtInSuites,
  gate: builtInSuites,
  calibrate: builtInSuites,
  tune: builtInTunings,
  init: ['suite', 'data', 'ci'],
  completion: ['bash', 'zsh', 'fish'],
  claims: [...builtInSuites, ...builtInTunings],
};

/** A shell's script that completes commands, their options and what is built in; files otherwise. */
export async function completionScript(shell: 'bash' | 'zsh' | 'fish'): Promise<string> {
  const specs = (await loadCommands(undefined)).flatMap(({ commands }) => commands);
  const byName = [...Map.groupBy(specs, ({ name }) => name.split(' ')[0]!)].map(([name, group]): Words => {
    const options = new Set(group.flatMap(optionNames));
    const parts = group.flatMap((spec) => spec.name.split(' ').slice(1));
    return { name, summary: parents[name] ?? group[0]!.summary, words: [...(firstArguments[name] ?? parts), ...options] };
  });
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](byName);
}

function optionNames({ options }: CommandSpec): string[] {
  const listed = Object.entries(options).filter(([, { deprecated, refused }]) => deprecated === undefined && refused === undefined);
  const names = listed.flatMap(([name, { negatable }]) => [`--${kebab(name)}`, ...(negatable === true ? [`--no-${kebab(name)}`] : [])]);
  return [...names, '--json', '--quiet', '--help'];
}

function bashScript(commands: readonly Words[]): string {
  return `_attnswap() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')} --help --version"
  else case "\${COMP_WORDS[1]}" in
${commands.map(({ name, words }) => `    ${name}) words="${words.join(' ')}" ;;`).join('\n')}
  esac; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _attnswap attnswap`;
}

function zshScript(commands: readonly Words[]): string {
  return `#compdef attnswap
_attnswap() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map(({ name, summary }) => `      ${quoted(`${name}:${summary}`)}`).join('\n')}
    )
    _describe command commands
    return
  fi
  case $words[2] in
${commands.map(({ name, words }) => `    ${name}) compadd -- ${words.join(' ')} ;;`).join('\n')}
  esac
  _files
}
compdef _attnswap attnswap`;
}

function fishScript(commands: readonly Words[]): string {
  const names = commands.map(({ name, summary }) => `complete -c attnswap -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
  const words = commands.map(
    ({ name, words: each }) => `complete -c attnswap -n '__fish_seen_subcommand_from ${name}' -a '${each.join(' ')}'`,
  );
  return [...names, ...words].join('\n');
}

/** For a shell: in single quotes, with its own ones written apart. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
