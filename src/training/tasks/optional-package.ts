import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { AttnswapError } from '../../contract/errors.ts';

const require = createRequire(import.meta.url);

/** A package with data that only some tasks need. @throws INVALID_DATA where it is not installed */
export function requirePackage<T>(name: string, task: string): T {
  return guarded(name, task, () => require(name) as T);
}

/** The path of a file in such a package. @throws INVALID_DATA where it is not installed */
export function packageFile(name: string, path: string, task: string): string {
  return guarded(name, task, () => {
    const description = findPackageJSON(name, import.meta.url);
    if (description === undefined) throw new Error('it has no package.json');
    return join(dirname(description), path);
  });
}

function guarded<T>(name: string, task: string, find: () => T): T {
  try {
    return find();
  } catch (error) {
    throw new AttnswapError('INVALID_DATA', `task ${task} needs the package ${name}: ${(error as Error).message.split('\n')[0]}`, {
      hint: `npm install ${name}`,
      cause: error,
    });
  }
}
