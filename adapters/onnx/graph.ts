export * from '../../src/model/graph-builder.ts';
