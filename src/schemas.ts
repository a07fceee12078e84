/** What `attnswap/schemas` exports: the schemas of what attnswap reads and writes, and readers that name the field where a document is wrong. */
export { auditRecordSchema, auditSchemaName, readAudit } from './contract/audit.ts';
export { claimsRecordSchema, claimsSchemaName, readClaims } from './contract/claims.ts';
export { deviceSchema, deviceSchemaName, readDevice } from './contract/device.ts';
export { cellRecordSchema } from './contract/cell.ts';
export { readRun, runSchema, runSchemaName } from './contract/run.ts';
export { readSuite, suiteSchema } from './contract/suite.ts';
export { readTuning, tuningSchema } from './contract/tuning.ts';
export { comparisonSchema, readVerdict, verdictSchema, verdictSchemaName } from './contract/verdict.ts';
export { migrationRecordName, migrationRecordSchema } from './migration/record.ts';
export { parseTuningRecord, tuningRecordName, tuningRecordSchema } from './tuning/record.ts';
