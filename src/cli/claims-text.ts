import type { ClaimsRecord, JudgedClaim } from '../contract/claims.ts';
import { boundText, claimFigureText, claimVerdictWords, decidingDefinition, standingWords } from '../report/claims/wording.ts';
import { clip, sentenceCase, table, wrapped } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import { shellCommand } from '../verdict/markdown-text.ts';

/** Claims for a terminal: a row each, then every reading of those that were measured, and what would measure the rest. */
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
  const { id, words, definitions, unit, verdict } = claim;
  const readings = definitions.flatMap(({ name, figures: [figure] }) => {
    if (figure === undefined) return [];
    const { of, note, standing } = figure;
    return `${name}: ${claimFigureText(figure, unit)}, ${standingWords[standing]} (${oneLine(note === '' ? of : `${of}; ${note}`)})`;
  });
  const head = `${id}: ${words} Required: ${boundText(claim)}. ${sentenceCase(claimVerdictWords[verdict])}.`;
  return [wrapped(head), ...readings.map((line) => wrapped(line, '  '))].join('\n');
}

function missingText({ id, reason, command }: JudgedClaim): string {
  return `${wrapped(`${id}: ${oneLine(reason)}`, '  ')}\n    attnswap ${oneLine(shellCommand(command))}`;
}
