import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { AttnswapError } from '../src/contract/errors.ts';

/**
 * Downloads a package's wheel without what it depends on, and gives its path.
 * @param requirement package and version, as pip takes it
 * @param folder an empty folder
 * @throws UNSUPPORTED where there is no pip or it reaches no index; INVALID_DATA where it brings no wheel
 */
export async function downloadWheel(requirement: string, folder: string, options: readonly string[] = []): Promise<string> {
  await pip(['download', '--no-deps', '--disable-pip-version-check', '--quiet', ...options, '--dest', folder, requirement]);
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (wheel !== undefined) return join(folder, wheel);
  throw new AttnswapError('INVALID_DATA', `${requirement}: pip left ${readdirSync(folder).join(', ') || 'nothing'}, expected a wheel`);
}

async function pip(args: readonly string[]): Promise<void> {
  for (const [command, ...first] of [['pip'], ['pip3'], ['python3', '-m', 'pip'], ['python', '-m', 'pip']] as const) {
    const result = await execa(command, [...first, ...args], { reject: false });
    if (result.exitCode === 0) return;
    if (result.code === 'ENOENT' || /No module named pip/.test(result.stderr)) continue;
    const why = result.stderr.trim().split('\n').at(-1) || result.shortMessage;
    throw new AttnswapError('UNSUPPORTED', `pip could not download ${args.at(-1)}: ${why}`, {
      hint: `check that "pip download --no-deps ${args.at(-1)}" reaches a package index`,
    });
  }
  throw new AttnswapError('UNSUPPORTED', 'found neither pip nor python -m pip on the path, expected one', {
    hint: 'install Python with pip (apt-get install python3-pip)',
  });
}
