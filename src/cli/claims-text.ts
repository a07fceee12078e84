import type { ClaimsRecord, JudgedClaim } from '../contract/claims.ts';
import { claimFigureText, claimVerdictWords, decidingDefinition } from '../report/claims/wording.ts';
import { clip, sentenceCase, table, wrapped } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { shellCommand } from '../verdict/markdown-text.ts';

/** Claims for a terminal: a row each, then why, every other reading, and what would measure the rest. */
export function claimsText({ claims }: ClaimsRecord): string {
  const rows = claims.map((claim) => {
    const deciding = decidingDefinition(claim);
    const figure = deciding?.figures[0];
    return [
      claim.id,
      claim.figure,
      figure === undefined ? '–' : claimFigureText(figure, claim.unit),
      claimVerdictWords[claim.verdict],
      deciding === undefined ? '' : clip(deciding.name, 28),
    ];
  });
  const measured = claims.filter(({ verdict }) => verdict !== 'not-measured');
  const missing = claims.filter(({ verdict }) => verdict === 'not-measured');
  return [
    table([['claim', 'article', 'measured', 'verdict', 'by'], ...rows], 5),
    ...measured.map(measuredText),
    ...(missing.length === 0 ? [] : [['Not measured', ...missing.map(missingText)].join('\n')]),
  ].join('\n\n');
}

function measuredText(claim: JudgedClaim): string {
  const { words, definitions, reason, unit } = claim;
  const figures = definitions.flatMap(({ name, figures: [figure] }) =>
    figure === undefined
      ? []
      : [`${name}: ${claimFigureText(figure, unit)}, ${oneLine(figure.of)}${figure.note === '' ? '' : ` (${oneLine(figure.note)})`}`],
  );
  const head = `${claim.id}: ${words} ${sentenceCase(claimVerdictWords[claim.verdict])}: ${oneLine(reason)}.`;
  return [wrapped(head), ...figures.map((line) => wrapped(line, '  '))].join('\n');
}

function missingText({ id, reason, command }: JudgedClaim): string {
  return `${wrapped(`${id}: ${oneLine(reason)}`, '  ')}\n    attnswap ${oneLine(shellCommand(command))}`;
}
