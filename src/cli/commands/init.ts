import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { AttnswapError } from '../../contract/errors.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand, option } from '../declare.ts';

/** What can be begun: the template, where it goes, and what comes next. */
const templates: Readonly<Record<string, { readonly file: string; readonly out: string; readonly next: string }>> = {
  suite: { file: 'my.suite.ts', out: 'my.suite.ts', next: 'attnswap bench ./my.suite.ts' },
  data: { file: 'my.data.ts', out: 'my.data.ts', next: 'attnswap migrate model.onnx --data ./my.data.ts' },
  ci: { file: 'attnswap.yml', out: '.github/workflows/attnswap.yml', next: 'attnswap init suite, if you have no my.suite.ts yet' },
};
const names = Object.keys(templates).join(', ');

export const init = defineCommand({
  name: 'init',
  summary: 'write a starter suite, data module or CI workflow, with comments',
  arguments: { what: argument(`${names}`) },
  options: { out: option('<file>', 'output file (default: my.suite.ts, my.data.ts, .github/workflows/attnswap.yml)') },
  examples: ['attnswap init suite', 'attnswap init data --out bench/words.data.ts', 'attnswap init ci'],
  async run(given) {
    const template = templates[given.what];
    if (template === undefined) throw new AttnswapError('USAGE', `unknown template ${JSON.stringify(given.what)}, expected ${names}`);
    const out = given.out ?? template.out;
    if (existsSync(out))
      throw new AttnswapError('USAGE', `${out} already exists; nothing was written`, { hint: 'choose another name with --out' });
    const [{ mkdir, readFile }, { writeWhole }] = await Promise.all([import('node:fs/promises'), import('../../files/whole-file.ts')]);
    await mkdir(dirname(out), { recursive: true });
    await writeWhole(out, await readFile(templateUrl(template.file), 'utf8'));
    if (given.json === true) printJson({ written: out });
    else print(`written: ${out}\nnext: ${template.next}`);
    return exitCodes.pass;
  },
});

/** In the package or the checkout: `examples` lies beside `src`, and beside `dist`. */
function templateUrl(file: string): URL {
  const found = ['../../../', '../../../../']
    .map((root) => new URL(`${root}examples/init/${file}`, import.meta.url))
    .find((url) => existsSync(url));
  if (found === undefined) throw new AttnswapError('FILE_UNREADABLE', `${file}: this attnswap was installed without its examples`);
  return found;
}
