import type { GaugeMetricData } from '@opentelemetry/sdk-metrics';
import { fingerprintOf } from '../compare/baseline.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Figures } from '../report/export/figures.ts';
import { gaugesOf } from '../report/export/gauges.ts';

const units = { seconds: 's', bytes: 'By', ratio: '1' } as const;
const packages = [
  '@opentelemetry/api',
  '@opentelemetry/exporter-metrics-otlp-proto',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-metrics',
];

/** Where figures are sent. */
export interface Receiver {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * Sends the figures of a record through the OpenTelemetry SDK, as gauges at the time when the measurement began. The SDK reads its own settings
 * from the environment: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE`.
 * @throws UNSUPPORTED where its packages are not installed; whatever the SDK says where the figures did not arrive
 */
export async function pushOtlp(record: Figures, { url, headers, timeoutMs }: Receiver): Promise<void> {
  const { ValueType, OTLPMetricExporter, resourceFromAttributes, AggregationTemporality, DataPointType } = await openTelemetry();
  const startedMs = Date.parse(record.startedAt);
  const at: [seconds: number, nanoseconds: number] = [Math.floor(startedMs / 1000), 1e6 * (startedMs % 1000)];
  const metrics = gaugesOf(record).map(({ name, unit, help: description, samples }): GaugeMetricData => ({
    descriptor: { name: ['attnswap', ...name].join('.'), description, unit: units[unit], valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints: samples.map(({ labels: attributes, value }) => ({ startTime: at, endTime: at, attributes, value })),
  }));
  const resource = resourceFromAttributes({
    'service.name': 'attnswap',
    'service.version': record.version,
    // The host by what it is: records hold no names of machines.
    'host.id': fingerprintOf(record).slice(0, 12),
  });
  const exporter = new OTLPMetricExporter({ url, headers, timeoutMillis: timeoutMs });
  try {
    await new Promise<void>((resolve, reject) => {
      exporter.export({ resource, scopeMetrics: [{ scope: { name: 'attnswap', version: record.version }, metrics }] }, ({ error, code }) =>
        code === 0 ? resolve() : reject(error ?? new Error('the exporter failed')),
      );
    });
  } finally {
    await exporter.shutdown();
  }
}

/** What is needed of it, from its optional packages. @throws UNSUPPORTED */
async function openTelemetry() {
  try {
    const [{ ValueType }, { OTLPMetricExporter }, { resourceFromAttributes }, { AggregationTemporality, DataPointType }] =
      await Promise.all([
        import('@opentelemetry/api'),
        import('@opentelemetry/exporter-metrics-otlp-proto'),
        import('@opentelemetry/resources'),
        import('@opentelemetry/sdk-metrics'),
      ]);
    return { ValueType, OTLPMetricExporter, resourceFromAttributes, AggregationTemporality, DataPointType };
  } catch (error) {
    throw new AttnswapError(
      'UNSUPPORTED',
      `OTLP needs the OpenTelemetry SDK, which is not installed: ${(error as Error).message.split('\n')[0]}`,
      {
        hint: `npm install ${packages.join(' ')}`,
        cause: error,
      },
    );
  }
}
