import { exitCodes, print, printJson, remark } from '../console.ts';
import { defineCommand, flag, option, place, withDefault } from '../declare.ts';
import { store } from '../options.ts';
import { working } from '../work.ts';

const site = 'site';

export const dashboard = defineCommand({
  name: 'dashboard',
  summary: 'write the store as static pages: machines, changes, gates, search',
  arguments: {},
  options: {
    out: withDefault(site, place('folder', option('<dir>', 'output folder'))),
    store,
    watch: flag('rewrite the pages whenever something is added, until interrupted'),
  },
  examples: ['attnswap dashboard --out site', 'attnswap dashboard --watch'],
  async run({ out = site, ...given }) {
    const { dashboard: build } = await import('../../operations/dashboard.ts');
    const onBuilt = (record: { readonly files: readonly string[] }) => {
      if (given.json === true) printJson(record);
      else print(record.files[0]!);
      remark(`${record.files.length} pages written to ${out}`, given);
    };
    // A bar has no end where it watches.
    await working(given, ({ onProgress, signal }) =>
      build({ ...given, out, signal, onBuilt, ...(given.watch !== true && { onProgress }) }),
    );
    return exitCodes.pass;
  },
});
