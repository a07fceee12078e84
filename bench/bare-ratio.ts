import { adapter } from '../adapters/onnx/adapter.ts';
import { drawModelInputs } from '../src/inputs/model-inputs.ts';
import type { DimensionSizes } from '../src/inputs/model-inputs.ts';
import * as ort from '../src/processes/onnxruntime.ts';
import { median } from '../src/statistics/order-statistics.ts';

/** How two models compare in ONNX Runtime alone. */
export interface BareRatio {
  /** Median time of a call, the second model's over the first's. */
  readonly ratio: number;
  readonly baseMs: number;
  /** ‖second − first‖ / ‖first‖ of the first output. */
  readonly difference: number;
}

/** Calls two model files in turns, on the same drawn inputs. */
export async function bareRatio(paths: readonly [string, string], sizes: DimensionSizes, calls: number): Promise<BareRatio> {
  const opened = await adapter.openModel!({ backend: 'onnx-cpu', model: paths[0] });
  if ('unsupported' in opened) throw new Error(opened.unsupported);
  const drawn = drawModelInputs(opened.inputs, sizes, 1);
  await opened.dispose();
  const feeds = Object.fromEntries(
    Object.entries(drawn).map(([name, { type, dims, data }]) => [name, new ort.Tensor(type as 'float32', data as Float32Array, [...dims])]),
  );
  const sessions = await Promise.all(paths.map((path) => ort.InferenceSession.create(path, { logSeverityLevel: 3 })));
  const outputs = await Promise.all(sessions.map(async (session) => Object.values(await session.run(feeds))[0]!.data as Float32Array));
  const times: number[][] = [[], []];
  for (let call = 0; call < calls; call++) {
    for (const arm of call % 2 === 0 ? [0, 1] : [1, 0]) {
      // Two calls to settle: the other session's threads still spin.
      for (let warm = 0; warm < 2; warm++) await sessions[arm]!.run(feeds);
      const start = performance.now();
      await sessions[arm]!.run(feeds);
      times[arm]!.push(performance.now() - start);
    }
  }
  await Promise.all(sessions.map((session) => session.release()));
  return { ratio: median(times[1]!) / median(times[0]!), baseMs: median(times[0]!), difference: distance(outputs[1]!, outputs[0]!) };
}

function distance(actual: Float32Array, expected: Float32Array): number {
  const norm = (values: Iterable<number>) => Math.sqrt([...values].reduce((sum, value) => sum + value ** 2, 0));
  return norm(expected.map((value, at) => actual[at]! - value)) / norm(expected);
}
