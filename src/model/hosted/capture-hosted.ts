import type { Tensors } from '../../contract/tensor.ts';
import type { CapturedCall } from '../swap/capture.ts';
import type { HostedModel } from './find-hosted-sites.ts';

/** What sites read and gave in one run of a model, by number; of a module that attends several times in it, the first call. */
export async function captureHosted(
  { attention }: HostedModel['model'],
  sites: HostedModel['sites'],
  wanted: readonly number[],
  feeds: Tensors,
): Promise<ReadonlyMap<number, CapturedCall>> {
  const numbers = new Map(wanted.map((number) => [sites[number]!.node, number]));
  const captured = new Map<number, CapturedCall>();
  for (const { module, ...call } of await attention.capture(feeds, [...numbers.keys()])) {
    const number = numbers.get(module)!;
    if (!captured.has(number)) captured.set(number, call);
  }
  return captured;
}
