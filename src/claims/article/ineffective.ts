import { least } from '../claim.ts';
import type { Claim } from '../claim.ts';
import { cellWaste, kernelWaste, scoredWaste, siteWaste } from '../waste.ts';

export const ineffectiveWeight: Claim = {
  id: 'ineffective-weight',
  words: 'More than 60 % of the attention weight lands where it does no good.',
  figure: '> 60 %',
  unit: 'share',
  bound: least(0.6),
  ofOriginal: true,
  definitions: [
    {
      name: 'wastedCompute[.95]',
      formula: '1 − Σ|S(.95)| / pairs; S(p): the smallest set of keys that holds a share p of a row’s weight',
      migration: siteWaste(({ wastedCompute }) => wastedCompute.p95, { byHead: true }),
      tuning: scoredWaste(({ wastedCompute }) => wastedCompute.p95),
      run: cellWaste(({ wastedCompute }) => wastedCompute.p95),
    },
    {
      name: 'wastedCompute[.90]',
      formula: '1 − Σ|S(.90)| / pairs',
      migration: siteWaste(({ wastedCompute }) => wastedCompute.p90),
      tuning: scoredWaste(({ wastedCompute }) => wastedCompute.p90),
      run: cellWaste(({ wastedCompute }) => wastedCompute.p90),
    },
    {
      name: 'wastedCompute[.95], no key 0',
      formula: 'the same with key 0 dropped and the rest renormalized, because an attention sink does not use the key',
      migration: siteWaste(({ withoutFirstToken }) => withoutFirstToken.wastedCompute.p95),
      run: cellWaste(({ withoutFirstToken }) => withoutFirstToken.wastedCompute.p95),
    },
    {
      name: 'wastedMass',
      formula: 'weight on keys outside the smallest set that holds 95 % of Σ p·‖v‖',
      migration: siteWaste(({ wastedMass }) => wastedMass),
      run: cellWaste(({ wastedMass }) => wastedMass),
    },
    {
      name: 'labelledWaste',
      formula: 'weight on keys that do not hold the answer, if the task defines which key does',
      tuning: scoredWaste(({ labelledWaste }) => labelledWaste),
    },
  ],
  missing: { reason: 'no waste was measured', measure: { model: [] } },
};

export const ineffectiveCompute: Claim = {
  id: 'ineffective-compute',
  words: 'At 1024 tokens, 73 % of the attention computation is ineffective.',
  figure: '73 %',
  unit: 'share',
  bound: least(0.725),
  ofOriginal: true,
  definitions: [
    {
      name: 'wastedCompute[.95]',
      formula: '1 − Σ|S(.95)| / pairs, at 1024 tokens',
      migration: siteWaste(({ wastedCompute }) => wastedCompute.p95, { at: 1024, byHead: true }),
      run: cellWaste(({ wastedCompute }) => wastedCompute.p95, 1024),
    },
    {
      name: 'wastedCompute[.90]',
      formula: '1 − Σ|S(.90)| / pairs, at 1024 tokens',
      migration: siteWaste(({ wastedCompute }) => wastedCompute.p90, { at: 1024 }),
      run: cellWaste(({ wastedCompute }) => wastedCompute.p90, 1024),
    },
    {
      name: 'wastedComputeAtError[.05]',
      formula: 'pairs beyond the shortest prefix, by falling weight, whose output is within 5 % of the whole row’s',
      migration: siteWaste(({ wastedComputeAtError }) => wastedComputeAtError.e05, { at: 1024 }),
      run: cellWaste(({ wastedComputeAtError }) => wastedComputeAtError.e05, 1024),
    },
    {
      name: 'wastedComputeAtError[.01]',
      formula: 'the same within 1 %',
      migration: siteWaste(({ wastedComputeAtError }) => wastedComputeAtError.e01, { at: 1024 }),
      run: cellWaste(({ wastedComputeAtError }) => wastedComputeAtError.e01, 1024),
    },
    {
      name: 'kernelWaste[.95]',
      formula: '1 − Σ|S(.95)| / pairs that the kernel computes, including masked ones',
      run: kernelWaste(1024),
    },
  ],
  missing: { reason: 'no waste was measured at 1024 tokens', measure: { model: ['--lengths', '1024'] } },
};
