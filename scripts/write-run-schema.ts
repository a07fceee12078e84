import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { runSchema } from '../src/contract/run.ts';

// The run record's JSON Schema, for readers in other languages.
const [path = 'run.schema.json'] = process.argv.slice(2);
writeFileSync(path, `${JSON.stringify(z.toJSONSchema(runSchema), null, 1)}\n`);
