import type { NodeProto } from 'onnx-buf';
import type { Tensor } from '../../contract/tensor.ts';
import { attributeOf, nodeName } from '../graph/graph-index.ts';
import type { Candidate } from './candidate.ts';
import { factorOf } from './factors.ts';
import { reshapes } from './logit-path.ts';
import type { PathStep } from './logit-path.ts';

/** What may stand between the product and the hyperbolic tangent of a soft cap: factors of the scale. Those after it are the cap. */
const scaling = new Set([...reshapes, 'Mul', 'Div', 'Cast', 'Identity', 'Dropout']);

/** Where on the way from the product the logits pass through a hyperbolic tangent; −1 where they do not. */
export function tanhPlace(before: readonly PathStep[]): number {
  return before.findIndex(({ node }) => node.opType === 'Tanh');
}

/** Why a path with a hyperbolic tangent is no soft cap of its scaled products; undefined where it is one, or has none. */
export function capFault(before: readonly PathStep[]): string | undefined {
  const place = tanhPlace(before);
  if (tanhPlace(before.slice(place + 1)) >= 0) return 'its logits pass through more than one Tanh';
  const inside = before.slice(0, Math.max(0, place)).find(({ node }) => !scaling.has(node.opType));
  return inside && `its soft cap comes after ${inside.node.opType} ${nodeName(inside.node)}: it caps masks and biases too`;
}

/** A soft cap as it is in a run: undefined where there is none, NaN where it is not one number. */
export function softcapIn({ path, declared }: Candidate, tensor: (name: string) => Tensor | undefined): number | undefined {
  if (path === undefined) return declared?.softcap;
  const place = tanhPlace(path.before);
  return place < 0 ? undefined : Math.abs(factorOf(path.before.slice(place + 1), tensor) ?? Number.NaN);
}

/** What a fused operator says of its cap; undefined where it caps nothing. */
export function softcapOf(node: NodeProto): number | undefined {
  const softcap = attributeOf(node, 'softcap')?.f ?? 0;
  return softcap > 0 ? softcap : undefined;
}
