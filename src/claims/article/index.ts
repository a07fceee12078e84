import type { Claim } from '../claim.ts';
import { gateCompute, memory } from './cost.ts';
import { ineffectiveCompute, ineffectiveWeight } from './ineffective.ts';
import { efficiency, halfPrecision, hierarchicalSpeed, oneCycle, throughput } from './speed.ts';
import { easyInputs, fewerSteps, imageAccuracy, translationQuality } from './trained.ts';

/** The article's claims, in its order. */
export const articleClaims: readonly Claim[] = [
  ineffectiveWeight,
  ineffectiveCompute,
  gateCompute,
  translationQuality,
  hierarchicalSpeed,
  imageAccuracy,
  memory,
  fewerSteps,
  halfPrecision,
  oneCycle,
  throughput,
  easyInputs,
  efficiency,
];

export const claimIds: readonly string[] = articleClaims.map(({ id }) => id);
