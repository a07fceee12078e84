import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { AttnswapError } from '../src/contract/errors.ts';

const require = createRequire(import.meta.url);

/** A package that only the samples need. @throws INVALID_DATA where it is not installed */
export function requirePackage<T>(name: string): T {
  return guarded(name, () => require(name) as T);
}

/** The path of a file in a package that only the samples need. @throws INVALID_DATA where it is not installed */
export function packageFile(name: string, path: string): string {
  return guarded(name, () => {
    const description = findPackageJSON(name, import.meta.url);
    if (description === undefined) throw new Error('it has no package.json');
    return join(dirname(description), path);
  });
}

function guarded<T>(name: string, find: () => T): T {
  try {
    return find();
  } catch (error) {
    throw new AttnswapError('INVALID_DATA', `the sample needs the package ${name}: ${(error as Error).message.split('\n')[0]}`, {
      hint: `npm i -D ${name}`,
      cause: error,
    });
  }
}
