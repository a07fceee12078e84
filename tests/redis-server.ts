import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Why tests of the fleet are skipped; false where they run. */
export const lacksRedis =
  spawnSync('redis-server', ['--version']).error === undefined ? false : "redis-server is not installed (Debian's package redis-server)";

export const password = 'a-password-of-tests';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis server of this test alone, with a password and an append-only file. */
export async function startRedis(settings: readonly string[] = []) {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'attnswap-redis-'));
  const fixed = ['--port', `${port}`, '--bind', '127.0.0.1', '--requirepass', password, '--dir', dir, '--save', '', '--appendonly', 'yes'];
  const run = async () => {
    const child = execa('redis-server', [...fixed, ...settings], { reject: false, stdin: 'ignore', stderr: 'ignore', buffer: false });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('Ready to accept connections')) resolve();
      });
      void child.then(() => reject(new Error(`redis-server ended: ${said}`)));
    });
    return { child }; // Not itself: it would be awaited to its end.
  };
  let server = await run();
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    server.child.kill(signal);
    await server.child;
  };
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    port,
    stop,
    /** Ends it as a crash would, and starts it again on what its append-only file holds. */
    async restart() {
      await stop('SIGKILL');
      server = await run();
    },
  };
}
