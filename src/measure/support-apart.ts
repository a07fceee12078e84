import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { supportOf } from '../conformance/support.ts';
import type { BackendSupport } from '../conformance/support.ts';
import type { AdapterEntry, BackendStatus } from '../contract/adapter.ts';
import { ownModule } from '../processes/own-module.ts';
import { oneLine, tamed } from '../text/untrusted.ts';
import { endOf, hasGroups, scratchFolder, signalGroup } from './process-group.ts';
import type { SupportAnswer, SupportRequest } from './support-worker.ts';

const worker = fileURLToPath(ownModule('./support-worker', import.meta.url));
const timeoutMs = 120_000;

/**
 * What {@link supportOf} finds, asked in another process, where what drivers print as they are tried stays. All adapters share one, as starting
 * it is most of the work; where it fails, each is asked in one of its own, so that a crash of one says nothing of the others.
 */
export async function supportApart(entries: readonly AdapterEntry[]): Promise<readonly BackendSupport[]> {
  const all = await ask(entries);
  if ('found' in all) return all.found;
  if (entries.length === 1) return supportOf(entries.map((entry) => failing(entry, all.failure)));
  const each = entries.map((entry) => supportApart([entry]));
  return (await Promise.all(each)).flat();
}

/** The entry with backends that do not run, for a reason. */
function failing(entry: AdapterEntry, reason: string): AdapterEntry {
  const status = async (): Promise<BackendStatus> => ({ available: false, reason, mend: '' });
  return { ...entry, load: async () => ({ ...(await entry.load()), status }) };
}

async function ask(entries: readonly AdapterEntry[]): Promise<SupportAnswer> {
  const scratch = await scratchFolder();
  const child = fork(worker, { env: { ...process.env, ...scratch.env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: hasGroups });
  let answer: SupportAnswer | undefined;
  let said = '';
  child.on('message', (message) => (answer = message as SupportAnswer));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5000)));
  const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), timeoutMs);
  child.send(
    { adapters: entries.map(({ name, backends, module }) => ({ name, backends, module })) } satisfies SupportRequest,
    () => undefined,
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  signalGroup(child.pid, 'SIGKILL');
  await scratch.remove();
  return answer === undefined ? { failure: oneLine(endOf(code ?? undefined, signal ?? undefined, said)) } : tamed(answer);
}
