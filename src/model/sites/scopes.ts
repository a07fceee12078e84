import type { GraphProto, ModelProto } from 'onnx-buf';
import type { Tensor } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { bodiesOf, bodyGraph, branchingNode, withBranchTaken } from '../graph/bodies.ts';
import type { Body } from '../graph/bodies.ts';
import { numbersOf } from './mask-sources.ts';
import { probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { watchModel } from './watch.ts';

/** A graph in which sites lie: the model's own, or a branch of an `If` in it. */
export interface Scope {
  /** Absent for the model's own graph. */
  readonly body?: Body | undefined;
  /** The model, or the model as it computes where the branch is taken: sites lie in its own graph. */
  readonly proto: ModelProto;
}

/** A scope with sites, and a small run that shows each of them at work. */
export interface ProbedScope extends Scope {
  readonly probe: ProbeCase;
}

/** A model seen as one scope: sites, plans and runs of a scope then hold for it. */
export function scopeOf(proto: ModelProto, body: Body | undefined): Scope {
  return body === undefined ? { proto } : { body, proto: withBranchTaken(proto, body)! };
}

/** The branches of a model's `If` nodes that are wanted, as far as they can stand in the place of their `If`. */
export function branchScopes(proto: ModelProto, isWanted: (graph: GraphProto) => boolean): Scope[] {
  return bodiesOf(proto.graph!).flatMap((body) => {
    if (!isWanted(bodyGraph(proto.graph!, body))) return [];
    const taken = withBranchTaken(proto, body);
    return taken === undefined ? [] : [{ body, proto: taken }];
  });
}

/** The tensor that decides whether a branch is taken. */
export function conditionOf({ graph }: ModelProto, body: Body): string {
  return branchingNode(graph!, body).input[0]!;
}

export function isTaken({ branch }: Body, condition: Tensor | undefined): boolean {
  return condition !== undefined && (numbersOf(condition)[0] !== 0) === (branch === 'then_branch');
}

/** More inputs of one number than this are not tried both ways. */
const mostSwitches = 4;

/**
 * The case, or one with other sizes, in which a branch is taken: the inputs of one number that its condition is computed from are held so.
 * Undefined where none was found.
 * @throws as opening a model does
 */
export async function takingBranch(
  at: ProbeCase,
  body: Body,
  { proto, file, runner, given }: { proto: ModelProto; file: OnnxFile; runner: ModelRunner; given: DimensionSizes },
): Promise<ProbeCase | undefined> {
  const condition = conditionOf(proto, body);
  const alone = watchModel(proto, { tensors: [condition], sizes: [], alone: { instead: new Map() } }, file, runner);
  return usingModel(alone, async (model) => {
    const switches = model.inputs.filter(({ dims, type }) => dims.every((size) => size === 1) && !type.startsWith('float'));
    const count = Math.min(mostSwitches, switches.length);
    for (const sized of [at, { ...at, past: 0 }, { ...at, length: 1 }]) {
      for (let code = 0; code < 2 ** count; code++) {
        const held = Object.fromEntries(switches.slice(0, count).map(({ name }, place) => [name, (code >> place) & 1]));
        const tried = count === 0 ? sized : { ...sized, held };
        const seen = await model.run(probeInputs(model.inputs, tried, given)).catch(() => undefined);
        if (isTaken(body, seen?.tensor(condition))) return tried;
      }
    }
    return undefined;
  });
}
