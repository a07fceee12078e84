import { replaying } from '../src/fleet/fixtures/replaying.ts';
import { joinQueue } from '../src/fleet/join.ts';
import { keyOf } from '../src/fleet/keys.ts';

// Many hosts of a fleet in one process, which replay: started by fleet.ts, which sends their keys.

const [redis = ''] = process.argv.slice(2);
const measure = replaying({ samples: 100 });
process.once('message', (pems: readonly string[]) => {
  let left = pems.length;
  for (const [index, pem] of pems.entries()) {
    void joinQueue({
      redis,
      insecure: true,
      key: keyOf(pem, 'key'),
      name: `host-${process.pid}-${index}`,
      labels: { index: `${process.pid}-${index}` },
      version: '0',
      lostAfterMs: 120_000,
      measure,
      signal: new AbortController().signal,
      tell: (what) => console.error(what),
      onJoined: () => --left === 0 && process.send?.('joined'),
      onIdle: () => undefined,
    });
  }
});
