/** The package; its prebuilt binding is linked with TensorFlow 2.9.1. */
export const tfjsNode = '4.22.0';

/** Node's C headers. The binding asks for Node-API 8, which every Node that this project runs on has. */
export const nodeApiHeaders = '1.9.0';

/**
 * The library. 2.12 is the nearest to 2.9.1 that will do: up to 2.11 PyPI's wheels have the C API in Python's own extension module
 * (_pywrap_tensorflow_internal.so), which does not load without Python; from 2.12 on it is in libtensorflow_cc.so.2, which exports
 * all 55 functions that the binding calls and needs the C and C++ runtimes alone (glibc 2.17).
 * 2.15.1 works as well, and is larger.
 */
export const tensorflow = {
  version: '2.12.1',
  requirement: 'tensorflow-cpu==2.12.1',
  sha256: '7ffb595707a8fb376deaddc768784c7a0242b16cbc6e06393b1733b2ce19f855',
  /** Which of its wheels: the library is the same in each, so that no Python of that version is needed. */
  wheel: ['--only-binary=:all:', '--implementation=cp', '--python-version=3.11', '--abi=cp311', '--platform=manylinux2014_x86_64'],
} as const;
