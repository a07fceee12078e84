import { AttnswapError } from '../contract/errors.ts';
import { openMetrics } from '../report/export/open-metrics.ts';
import type { Figures } from '../report/export/figures.ts';
import { hasGauge } from '../report/export/gauges.ts';
import { readReport } from '../report/read-report.ts';
import { oneLine } from '../text/untrusted.ts';
import { pushOtlp } from './push-otlp.ts';
import type { Receiver } from './push-otlp.ts';

export interface PushOptions {
  /** A run record or a verdict. */
  readonly path: string;
  /** URL of an OTLP/HTTP receiver, such as `http://collector:4318`; without a path, `/v1/metrics` is meant. */
  readonly otlp?: string | undefined;
  /** URL to which OpenMetrics text is sent by PUT, such as `http://pushgateway:9091/metrics/job/attnswap`. */
  readonly openMetrics?: string | undefined;
}

export interface PushRecord {
  /** Number of figures sent. */
  readonly figures: number;
  /** The receivers, without user and password. */
  readonly pushed: readonly string[];
}

/**
 * Sends the figures of a run record or a verdict to a monitoring system.
 * @throws USAGE; FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_REPORT; UNSUPPORTED without the packages of OpenTelemetry;
 *   PUSH_FAILED where a receiver cannot be reached or refuses
 */
export async function push({ path, otlp, openMetrics: text }: PushOptions): Promise<PushRecord> {
  const targets = [
    ...(otlp === undefined ? [] : [{ receiver: receiverOf(otlp, '--otlp', '/v1/metrics'), send: pushOtlp }]),
    ...(text === undefined ? [] : [{ receiver: receiverOf(text, '--openmetrics'), send: putOpenMetrics }]),
  ];
  if (targets.length === 0) throw new AttnswapError('USAGE', 'no receiver was given, expected --otlp or --openmetrics');
  const { figures: record, report } = await readReport(path);
  if (record === undefined)
    throw new AttnswapError('USAGE', `${path}: a ${report.kind} has no figures to push, expected a run record or a verdict`);
  const figures = record.figures.filter(hasGauge).length;
  if (figures === 0) throw new AttnswapError('USAGE', `${path}: holds none of the figures that are pushed: latency, memory, waste, error`);
  for (const { receiver, send } of targets) {
    await send(record, receiver).catch((error: unknown) => {
      throw error instanceof AttnswapError ? error : failed(receiver, error as Error);
    });
  }
  return { figures, pushed: targets.map(({ receiver }) => receiver.url) };
}

/** User and password go into a header: they are shown nowhere. */
function receiverOf(text: string, option: string, path = '/'): Receiver {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new AttnswapError('USAGE', `${option}: expected the URL of a receiver, such as http://collector:4318`);
  const { username, password } = url;
  const credentials = Buffer.from(decoded(`${username}:${password}`, option)).toString('base64');
  const headers: Record<string, string> = username + password === '' ? {} : { authorization: `Basic ${credentials}` };
  [url.username, url.password] = ['', ''];
  if (url.pathname === '/') url.pathname = path;
  return { url: url.href, headers, timeoutMs: 10_000 };
}

function decoded(text: string, option: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AttnswapError('USAGE', `${option}: user and password are not percent-encoded, expected %25 for a percent sign`);
  }
}

/** The whole text in one request, which replaces what the receiver had under this URL. */
async function putOpenMetrics(record: Figures, { url, headers, timeoutMs }: Receiver): Promise<void> {
  const response = await fetch(url, {
    method: 'PUT',
    // Receivers that know OpenMetrics take it as this older format, too.
    headers: { ...headers, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    body: openMetrics(record),
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}: ${(await response.text()).slice(0, 200)}`);
}

function failed({ url }: Receiver, error: Error): AttnswapError {
  const { cause = error } = error; // What fetch throws says only that it failed.
  // The error of a host with several addresses holds one for each, and says nothing itself.
  const { message, errors, code } = cause as NodeJS.ErrnoException & Partial<AggregateError>;
  const said = [message, (errors?.[0] as Error | undefined)?.message, code].find((each) => each !== undefined && each !== '');
  return new AttnswapError('PUSH_FAILED', `${url}: ${oneLine(said ?? error.name)}; the figures may not have arrived`, {
    hint: 'check the URL, and that the receiver runs',
    cause: error,
  });
}
