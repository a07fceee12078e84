import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A test file's own temporary folder: the machine's lock is in it, so that files run side by side, and it goes when the file ends, with all that
// its tests put there.
const folder = mkdtempSync(join(tmpdir(), 'attnswap-tests-'));
// A test that becomes another user passes through.
chmodSync(folder, 0o711);
process.env['TMPDIR'] = folder;
// They are also each other's other work, which decides nothing here.
process.env['ATTNSWAP_BUSY_SHARE'] = '100';
process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
