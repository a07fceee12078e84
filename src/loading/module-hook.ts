import { registerHooks } from 'node:module';
import { ownModule } from '../processes/own-module.ts';

/** What a user's module may import, from any folder: it gets the attnswap that runs it. */
const entries: Readonly<Record<string, string>> = {
  attnswap: 'index',
  'attnswap/adapters': 'adapters',
  'attnswap/report': 'report/index',
  'attnswap/schemas': 'schemas',
};
let isHooked = false;

/** From now on `attnswap` and its subpaths are this attnswap, for every module that is loaded. */
export function hookOwnName(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const entry = entries[specifier];
      return next(entry === undefined ? specifier : ownModule(`../${entry}`, import.meta.url).href, context);
    },
  });
}
