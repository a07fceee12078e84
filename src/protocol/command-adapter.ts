import { describedAdapter } from './worker-adapter.ts';
import { commandOf } from './worker-entry.ts';

/** The adapter of the worker that this module's URL names, for the processes that measure. */
export const adapter = await describedAdapter(commandOf(import.meta.url));
