import type { Dispatch, DispatchedOperator } from '../../src/contract/adapter.ts';
import type { Engine } from './engine.ts';
import type { Selects, Tensor } from './kernel.ts';

/** What one call ran, by tfjs's own profile. Times are of the backend's clock; 0 where it has none. */
export async function profileCall(engine: Engine, call: () => Tensor, selects: Selects): Promise<Dispatch> {
  const { tf } = engine;
  call().dispose();
  await engine.synchronize?.();
  const { kernels, result } = await tf.profile(call);
  tf.dispose(result);
  const totals = new Map<string, DispatchedOperator>();
  for (const { name, kernelTimeMs } of kernels) {
    const known = totals.get(name) ?? { operator: name, provider: engine.status.device, calls: 0, totalNs: 0 };
    const ms = await kernelTimeMs;
    const ns = typeof ms === 'number' && Number.isFinite(ms) ? Math.round(ms * 1e6) : 0;
    totals.set(name, { ...known, calls: known.calls + 1, totalNs: known.totalNs + ns });
  }
  const operators = [...totals.values()].sort((a, b) => b.totalNs - a.totalNs);
  return { operators, flags: [...engine.flags, ...flagsOf(engine, operators, selects)] };
}

function flagsOf({ selection }: Engine, operators: readonly DispatchedOperator[], selects: Selects): string[] {
  const flags: string[] = [];
  if (selects !== 'nothing' && selection[selects] === 'host')
    flags.push('selection ran in JavaScript on scores read back from the device; no operator includes its time');
  if (operators.every(({ totalNs }) => totalNs === 0)) flags.push('the backend reported no times');
  return flags;
}
