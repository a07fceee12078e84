import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { z } from 'zod';
import { outcomes, verdictSchema } from '../contract/verdict.ts';
import { sampleComparison, sampleVerdict, sampleWithoutFigures } from './fixtures/sample-verdict.ts';

const ajv = new Ajv2020({ allErrors: true });
addFormats.default(ajv);
const validate = ajv.compile(z.toJSONSchema(verdictSchema));

test('the published schema accepts every outcome, as the verdict’s own reader does', () => {
  const comparisons = outcomes.flatMap((outcome) => [sampleComparison({ outcome }), sampleWithoutFigures({ outcome })]);
  const verdict = JSON.parse(JSON.stringify(sampleVerdict(comparisons))) as unknown;
  assert.ok(validate(verdict), JSON.stringify(validate.errors));
  assert.ok(verdictSchema.safeParse(verdict).success);
});

test('the published schema refuses what the reader refuses', () => {
  const broken = [
    { ...sampleVerdict([]), exitCode: 6 },
    { ...sampleVerdict([]), schema: 'attnswap.run/1' },
    sampleVerdict([{ ...sampleComparison(), margin: '5 %' as never }]),
  ];
  for (const verdict of broken) {
    assert.ok(!validate(verdict));
    assert.ok(!verdictSchema.safeParse(verdict).success);
  }
});
