import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AttnswapError } from '../contract/errors.ts';
import { ownModule } from '../processes/own-module.ts';
import { nearestName } from '../variants/nearest-name.ts';
import { hookOwnName } from './module-hook.ts';

/**
 * The default export of a built-in suite by name, or of a suite file by path, and the module's URL. A user's file may import `attnswap` from any
 * folder: it gets the attnswap that runs it.
 * @throws UNKNOWN_SUITE, INVALID_SUITE
 */
export async function loadDefinition(nameOrPath: string, builtIn: readonly string[]): Promise<{ definition: unknown; url: string }> {
  const url = suiteUrl(nameOrPath, builtIn);
  hookOwnName();
  const module = (await import(url).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AttnswapError('INVALID_SUITE', `${nameOrPath}: could not be loaded: ${reason}`, {
      hint: 'run the file with node to see the error',
      cause: error,
    });
  })) as { default?: unknown };
  return { definition: module.default, url };
}

function suiteUrl(nameOrPath: string, builtIn: readonly string[]): string {
  if (builtIn.includes(nameOrPath)) return ownModule(`../../suites/${nameOrPath}.suite`, import.meta.url).href;
  const path = resolve(nameOrPath);
  if (/\.[cm]?[jt]s$/.test(path)) {
    if (existsSync(path)) return pathToFileURL(path).href;
    throw new AttnswapError('UNKNOWN_SUITE', `${nameOrPath}: no such file`, { hint: 'attnswap list shows the built-in suites' });
  }
  const near = nearestName(nameOrPath, builtIn);
  throw new AttnswapError(
    'UNKNOWN_SUITE',
    `unknown suite ${JSON.stringify(nameOrPath)}, expected one of ${builtIn.join(', ')}, or the path of a .ts or .js file`,
    { hint: near === undefined ? 'attnswap list shows the built-in ones' : `did you mean ${near}?` },
  );
}
