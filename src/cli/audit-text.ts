import type { AuditRecord } from '../contract/audit.ts';
import { typicalCall } from '../report/audit/typical-call.ts';
import { againstText, expectedText, figureNames, slopeText, standingNames, verdictText } from '../report/audit/wording.ts';
import { percent, size, time } from '../text/figures.ts';
import { sentenceCase, table, wrapped } from '../text/layout.ts';

/** An audit for a terminal: what was measured, the slopes, and the verdict. */
export function auditText(record: AuditRecord): string {
  const { backend, setting, threads, points, findings, overhead, summary, exitCode, checked } = record;
  const head = `${backend} · ${setting} · ${threads} thread${threads === 1 ? '' : 's'} · medians of ${points[0]!.rounds.length} rounds`;
  const slopes = findings.map((finding) => [
    `${figureNames[finding.figure]}${finding.decides ? '' : ' *'}`,
    againstText(finding, record),
    slopeText(finding),
    expectedText(finding),
    finding.standing === null ? '–' : standingNames[finding.standing],
  ]);
  const closing = [
    `${sentenceCase(verdictText(record))}: ${summary}`,
    ...(overhead === null ? [] : [`Fixed overhead: ${time(overhead.latencyNs)} per call.`]),
    ...(checked ? [] : ['The output was not checked against a reference.']),
    `Exit code ${exitCode}.`,
  ];
  return [
    `${head}\n${pointsTable(record)}`,
    `${table([['slope of', 'over', 'slope', 'expected', 'finding'], ...slopes], 2)}\n*: informational`,
    closing.map((line) => wrapped(line)).join('\n'),
  ].join('\n\n');
}

function pointsTable({ kind, knob, points }: AuditRecord): string {
  const rows = points.map((point) => {
    const { latencyNs, cpuNs, peakBytes } = typicalCall(point);
    return [
      ...(knob === null ? [] : [String(point.knob)]),
      String(point.length),
      ...(kind === 'model' && knob === null ? [] : [percent(point.neededWork / point.fullWork)]),
      time(latencyNs),
      cpuNs === null ? '–' : time(cpuNs),
      peakBytes === null ? '–' : size(peakBytes),
    ];
  });
  return table(
    [
      [
        ...(knob === null ? [] : [knob.name]),
        'tokens',
        ...(kind === 'model' && knob === null ? [] : ['of dense']),
        'latency',
        'CPU time',
        'peak',
      ],
      ...rows,
    ],
    0,
  );
}
