import { asv } from './asv.ts';
import { benchstat } from './benchstat.ts';
import { criterion } from './criterion.ts';
import { googleBenchmark } from './google-benchmark.ts';
import { nvbench } from './nvbench.ts';
import type { Rival } from './rival.ts';

export const rivals: readonly Rival[] = [criterion, benchstat, googleBenchmark, nvbench, asv];
