import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runSchema } from '../src/contract/run.ts';
import { deviceSchema } from '../src/contract/device.ts';
import { verdictSchema } from '../src/contract/verdict.ts';

// JSON Schemas of what attnswap writes and of device files, for readers in other languages.
const schemas = { run: runSchema, verdict: verdictSchema, device: deviceSchema };
const [folder = '.'] = process.argv.slice(2);
for (const [name, schema] of Object.entries(schemas)) {
  writeFileSync(join(folder, `${name}.schema.json`), `${JSON.stringify(z.toJSONSchema(schema), null, 1)}\n`);
}
