import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sampleRun } from '../report/fixtures/sample-run.ts';
import { addRecords } from './add.ts';
import { queryStore } from './query.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-query-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const store = join(folder, "it's a store");
/** As it is written in SQL. */
const records = join(store, 'records').replaceAll("'", "''");
const byName = (a: string | Buffer, b: string | Buffer) => String(a).localeCompare(String(b));
mkdirSync(store);
writeFileSync(join(folder, 'secret.json'), JSON.stringify(sampleRun({ lengths: [64] })));
await addRecords(store, [join(folder, 'secret.json')]);

const refused: Readonly<Record<string, readonly [sql: string, says: RegExp]>> = {
  'a change': ['delete from cells', /./],
  'a table of its own': ['create table mine (x int)', /only SELECT/],
  'a file that it writes': [`copy (select 1) to '${folder}/stolen.csv'`, /./],
  'a file that it writes into the store': [`copy (select 1) to '${records}/stolen.csv'`, /only SELECT/],
  'an explanation that runs what it explains': [`explain analyze copy (select 1) to '${records}/stolen.csv'`, /only SELECT/],
  'another database': ["attach 'other.db'", /only SELECT/],
  'two statements': ['select 1; select 2', /expected one statement, got 2/],
  'no statement': ['', /./],
  'a setting': ['set enable_external_access = true', /only SELECT/],
  'an extension': ['install httpfs', /only SELECT/],
  'a file beside the store': [`select * from read_text('${folder}/secret.json')`, /./],
  'a file of the system': ["select * from read_csv('/etc/passwd')", /./],
  'a file out of the store’s folder': [`select * from read_text('${records}/../../secret.json')`, /./],
  'a file named like a table': ["select * from '/etc/passwd'", /./],
  'a list of files': ["select * from glob('/etc/*')", /./],
  'the network': ["select * from read_csv('http://127.0.0.1:1/x.csv')", /./],
  'a mistake': ['select nothing from cells', /nothing/],
};

test('a query reads the store and nothing else, and changes nothing', async () => {
  const before = readdirSync(folder, { recursive: true }).toSorted(byName);
  for (const [name, [sql, says]] of Object.entries(refused)) {
    await assert.rejects(
      queryStore(store, sql),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_QUERY', name);
        assert.match(error.message, says, name);
        return true;
      },
      name,
    );
  }
  assert.deepEqual(readdirSync(folder, { recursive: true }).toSorted(byName), before);
});

test('the tables have no columns that only the store needs; their twins hold the records', async () => {
  assert.ok(!(await queryStore(store, 'from cells')).columns.includes('json'));
  const { rows } = await queryStore(store, "select (json -> '$.latency.samplesNs')::double[] from cells_json limit 1");
  assert.equal((rows[0]![0] as readonly number[]).length, 30);
  assert.deepEqual((await queryStore(store, 'describe cells')).columns.slice(0, 2), ['column_name', 'column_type']);
  assert.deepEqual(await queryStore(join(folder, 'empty'), 'select count(*) as n from cells'), { columns: ['n'], rows: [[0]] });
});
