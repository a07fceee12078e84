import { keptVariable } from '../processes/kept.ts';
import { temporaryFolder } from '../processes/temporary.ts';

const folders = new Map<string, Promise<string>>();

/** What lets the workers of one script hand on what they made: each script is of a version of attnswap, and another may make it differently. */
export async function handOn(script: string): Promise<Record<string, string>> {
  const folder = folders.get(script) ?? temporaryFolder('kept');
  folders.set(script, folder);
  return { [keptVariable]: await folder };
}
