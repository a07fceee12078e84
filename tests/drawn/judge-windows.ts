import { nearWindows } from '../models/near-windows.ts';
import { buildWindowed } from '../models/windowed.ts';
import { inMemory, subjectOf } from '../subjects.ts';

// Prints, as JSON, what each mask that is nearly a window is taken for.
const masks: Record<string, string | null> = {};
for (const [name, model] of Object.entries(nearWindows)) {
  const { sites } = await subjectOf(inMemory(name, buildWindowed(model)));
  masks[name] = sites.sites[0]!.mask;
}
process.stdout.write(JSON.stringify(masks));
