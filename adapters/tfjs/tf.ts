import type * as tfjs from '@tensorflow/tfjs-core';

/** The tfjs-core that a backend is registered with: tfjs-node may bring one of its own. */
export type Tf = typeof tfjs;
export type Tensor = tfjs.Tensor;
