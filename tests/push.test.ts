import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { push as send } from '../src/operations/push.ts';
import { sampleRun } from '../src/report/fixtures/sample-run.ts';
import { sampleComparison, sampleVerdict } from '../src/verdict/fixtures/sample-verdict.ts';
import { attnswap, emptyFolder } from './run-cli.ts';
import { freePort } from './redis-server.ts';

const cwd = emptyFolder();
const run = sampleRun({ lengths: [512] });
writeFileSync(join(cwd, 'a.run.json'), JSON.stringify(run));
const cell = run.cells[0]!;

interface Arrived {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** What the receiver got, and what it answers. */
const arrived: Arrived[] = [];
let status = 200;
const receiver = createServer((request, response) => {
  void buffer(request).then((body) => {
    arrived.push({ method: request.method, path: request.url, headers: request.headers, body });
    response.writeHead(status).end(status === 200 ? '' : 'text format parsing error in line 1');
  });
});
let base: string;
before(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
after(() => receiver.close());

const push = (...args: string[]) => attnswap(['report', 'a.run.json', ...args], { cwd });

test('OpenMetrics text is put to the URL, with user and password in a header alone', async () => {
  arrived.length = 0;
  const url = base.replace('//', '//user:p%40ss@');
  const { exitCode, stdout, stderr } = await push('--openmetrics', `${url}/metrics/job/attnswap`);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, '');
  assert.ok(stderr.includes(`figures pushed to ${base}/metrics/job/attnswap`), stderr);
  assert.ok(!stderr.includes('p%40ss'));
  const [{ method, path, headers, body }] = arrived as [Arrived];
  assert.deepEqual([method, path], ['PUT', '/metrics/job/attnswap']);
  assert.equal(headers['authorization'], `Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  assert.match(body.toString(), new RegExp(`^attnswap_latency_seconds\\{.*\\} ${cell.latency!.medianNs / 1e9}$`, 'm'));
  for (const [, type] of body.toString().matchAll(/^# TYPE \S+ (.*)$/gm)) assert.equal(type, 'gauge', 'a Pushgateway knows no info');
});

test('OTLP: gauges with base units at the time of the measurement, of a resource that names tool and host', async () => {
  arrived.length = 0;
  const { exitCode, stderr } = await push('--otlp', base);
  assert.equal(exitCode, 0, stderr);
  const [{ method, path, headers, body }] = arrived as [Arrived];
  assert.deepEqual([method, path, headers['content-type']], ['POST', '/v1/metrics', 'application/x-protobuf']);
  // Numbers of fields are those of opentelemetry/proto/metrics/v1/metrics.proto.
  const [resourceMetrics] = nested(body, 1);
  const attributes = nested(nested(resourceMetrics!, 1)[0]!, 1).map(keyAndText);
  assert.deepEqual(attributes.slice(0, 2), [
    ['service.name', 'attnswap'],
    ['service.version', run.tool.version],
  ]);
  assert.match(attributes[2]![1]!, /^[0-9a-f]{12}$/);
  const metrics = nested(nested(resourceMetrics!, 2)[0]!, 2);
  const named = new Map(metrics.map((metric) => [texts(metric, 1)[0]!, metric]));
  assert.deepEqual([...named.keys()].slice(0, 3), ['attnswap.latency', 'attnswap.latency.low', 'attnswap.latency.high']);
  assert.deepEqual([...new Set(metrics.map((metric) => texts(metric, 3)[0]!))].toSorted(), ['1', 'By', 's']);
  const points = nested(nested(named.get('attnswap.latency')!, 5)[0]!, 1);
  assert.equal(points.length, run.cells.length);
  assert.equal(fixed64(points[0]!, 4).readDoubleLE(), cell.latency!.medianNs / 1e9);
  assert.equal(fixed64(points[0]!, 3).readBigUInt64LE(), BigInt(Date.parse(run.startedAt)) * 1_000_000n);
  assert.ok(
    nested(points[0]!, 7)
      .map(keyAndText)
      .some(([key, value]) => key === 'cell' && value === cell.id),
  );
});

test('a receiver that refuses, or is not there, is an error that says so; so is a record without figures', async () => {
  const path = join(cwd, 'a.run.json');
  status = 400;
  for (const kind of ['otlp', 'openMetrics'] as const)
    await assert.rejects(send({ path, [kind]: base }), { code: 'PUSH_FAILED', message: /:\d+\/.*: .*(400|Bad Request)/ });
  status = 200;
  const nobody = `http://127.0.0.1:${await freePort()}`;
  await assert.rejects(send({ path, openMetrics: nobody }), { code: 'PUSH_FAILED', message: /ECONNREFUSED/ });
  await assert.rejects(send({ path }), { code: 'USAGE', message: /no receiver was given/ });
  await assert.rejects(send({ path, otlp: 'collector:4318' }), { code: 'USAGE', message: /expected the URL of a receiver/ });
  for (const [option, receiver] of [
    ['--otlp', { otlp: 'http://user:50%@host' }],
    ['--openmetrics', { openMetrics: 'http://user:50%@host' }],
  ] as const)
    await assert.rejects(send({ path, ...receiver }), { code: 'USAGE', message: new RegExp(`^${option}: user and password`) });
  writeFileSync(join(cwd, 'none.json'), '{}');
  await assert.rejects(send({ path: join(cwd, 'none.json'), otlp: base }), { code: 'INVALID_REPORT' });
});

test('an error without a text of its own is told by those that it holds, or its code', async (t) => {
  const path = join(cwd, 'a.run.json');
  let cause: Error;
  t.mock.method(globalThis, 'fetch', () => Promise.reject(new TypeError('fetch failed', { cause })));
  for (cause of [new AggregateError([new Error('connect ECONNREFUSED')]), Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })])
    await assert.rejects(send({ path, openMetrics: base }), { code: 'PUSH_FAILED', message: /: .*ECONNREFUSED; the figures/ });
});

test('only figures that are sent are counted, and nothing is sent where there are none', async () => {
  arrived.length = 0;
  const path = join(cwd, 'a.verdict.json');
  const quality = sampleComparison({ metric: 'quality' });
  writeFileSync(path, JSON.stringify(sampleVerdict([sampleComparison(), quality])));
  assert.equal((await send({ path, openMetrics: base })).figures, 1);
  writeFileSync(path, JSON.stringify(sampleVerdict([quality])));
  await assert.rejects(send({ path, openMetrics: base }), { code: 'USAGE', message: /holds none of the figures that are pushed/ });
  assert.equal(arrived.length, 1);
});

test('a push with --format writes the report, too', async () => {
  const { exitCode, stdout, stderr } = await push('--openmetrics', base, '--format', 'md');
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, join('reports', 'a.md'));
  assert.ok(existsSync(join(cwd, 'reports', 'a.md')));
});

/** The values of one field of a Protocol Buffers message. */
function values(message: Uint8Array, field: number, type: WireType): Buffer[] {
  const reader = new BinaryReader(message);
  const found: Buffer[] = [];
  while (reader.pos < reader.len) {
    const [number, kind] = reader.tag();
    const start = reader.pos;
    const value = kind === WireType.LengthDelimited ? reader.bytes() : (reader.skip(kind, number), message.subarray(start, reader.pos));
    if (number === field && kind === type) found.push(Buffer.from(value));
  }
  return found;
}

function nested(message: Uint8Array, field: number): Buffer[] {
  return values(message, field, WireType.LengthDelimited);
}

function texts(message: Uint8Array, field: number): string[] {
  return nested(message, field).map(String);
}

function fixed64(message: Uint8Array, field: number): Buffer {
  return values(message, field, WireType.Bit64)[0]!;
}

/** A KeyValue whose value is a string. */
function keyAndText(pair: Uint8Array): [string, string] {
  return [texts(pair, 1)[0]!, texts(nested(pair, 2)[0]!, 1)[0]!];
}
