import { loadTfjsNode } from './load.ts';

// Multiplies two matrices through the package in the folder named first; prints versions and product, for who started it.

const tf = loadTfjsNode(process.argv[2] ?? '');
const square = tf.tensor([1, 2, 3, 4], [2, 2]);
const product = tf.matMul(square, tf.tensor([5, 6, 7, 8], [2, 2])).arraySync();
const { TF_Version: library } = tf.backend().binding;
console.log(JSON.stringify({ package: tf.version['tfjs-node'], library, backend: tf.getBackend(), product }));
