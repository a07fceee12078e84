import type { DataModule, Tensors } from 'attnswap';

// Run it: attnswap migrate model.onnx --data ./my.data.ts --lengths 128,256,512

/** Name of the score. Without a task, omit it and `evaluate`: quality is then judged by how far outputs drift. */
export const metric = 'accuracy';

/** Inputs of your model: `itemsPerLength` items of each length. The same seed must give the same items. */
export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) =>
  lengths.flatMap((length) =>
    Array.from({ length: itemsPerLength }, (_, index) => ({
      id: `${length}-${index}`,
      length,
      feeds: encode(length, seed + index),
      expected: 0,
    })),
  );

/** One score per item, in order; higher is better. */
export const evaluate: NonNullable<DataModule['evaluate']> = async (model, given) => {
  const scores: number[] = [];
  for (const { feeds, expected } of given) {
    const outputs = await model.run(feeds);
    scores.push(predict(outputs) === expected ? 1 : 0);
  }
  return scores;
};

/** Replace this: the inputs by name, as your model declares them. */
function encode(length: number, seed: number): Tensors {
  const ids = BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * seed) % 90));
  return {
    input_ids: { type: 'int64', dims: [1, length], data: ids },
    attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
  };
}

/** Replace this: the prediction that the outputs contain. Here, the index of the largest number. */
function predict(outputs: Tensors): number {
  const [first] = Object.values(outputs);
  const numbers = Array.from(first?.data ?? [], Number);
  return numbers.indexOf(Math.max(...numbers));
}
