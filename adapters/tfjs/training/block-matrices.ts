/** `[blocks, length]`, by which keys become the means of their blocks. */
export function meansMatrix(length: number, block: number): Float32Array {
  return blockMatrix(length, block, (_, tokens) => 1 / tokens);
}

/** `[blocks, length]`, by which queries become those that speak for their blocks: the first when causal, else the mean. */
export function speakersMatrix(length: number, block: number, causal: boolean): Float32Array {
  return causal ? blockMatrix(length, block, (place) => (place === 0 ? 1 : 0)) : meansMatrix(length, block);
}

/** `[length, blocks]`: 1 where a position is in a block. */
export function membersMatrix(length: number, block: number): Float32Array {
  const blocks = Math.ceil(length / block);
  return Float32Array.from({ length: length * blocks }, (_, at) => (Math.floor(Math.floor(at / blocks) / block) === at % blocks ? 1 : 0));
}

/** `[length, length]`: 0 where query and key are in the same block, else 1. */
export function othersMatrix(length: number, block: number): Float32Array {
  return Float32Array.from({ length: length * length }, (_, at) =>
    Math.floor(Math.floor(at / length) / block) === Math.floor((at % length) / block) ? 0 : 1,
  );
}

function blockMatrix(length: number, block: number, weight: (place: number, tokens: number) => number): Float32Array {
  const matrix = new Float32Array(Math.ceil(length / block) * length);
  for (let position = 0; position < length; position++) {
    const index = Math.floor(position / block);
    const tokens = Math.min(length, (index + 1) * block) - index * block;
    matrix[index * length + position] = weight(position % block, tokens);
  }
  return matrix;
}
