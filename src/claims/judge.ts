import type { ClaimDefinition, ClaimSource, ClaimStanding, ClaimVerdict, JudgedClaim } from '../contract/claims.ts';
import { boundText, claimFigureText } from '../report/claims/wording.ts';
import type { Claim, Definition } from './claim.ts';
import { figuresIn } from './evidence.ts';
import type { Evidence, Figure } from './evidence.ts';

/** A claim held against all evidence: the first definition that was measured decides, unless another one holds where it does not. */
export function judgeClaim(claim: Claim, evidence: readonly Evidence[]): JudgedClaim {
  const { missing, definitions: given, ofOriginal: _, ...told } = claim;
  const definitions = given.map((definition) => measuredBy(definition, evidence, claim.bound));
  const measured = definitions.filter(({ standing }) => standing !== null);
  const [first] = measured;
  if (first === undefined) {
    const command = commandFor(claim, evidence);
    return { ...told, verdict: 'not-measured', decidedBy: null, reason: missing.reason, command, definitions };
  }
  const deciding = measured.find(({ standing }) => standing === 'holds') ?? first;
  const verdict: ClaimVerdict = deciding === first ? first.standing! : 'holds-otherwise';
  const command = sourceOf(evidence[deciding.figures[0]!.source]!).command;
  return { ...told, verdict, decidedBy: deciding.name, reason: reasonOf(claim, first, deciding), command, definitions };
}

function measuredBy({ name, formula, ...readers }: Definition, evidence: readonly Evidence[], bound: Claim['bound']): ClaimDefinition {
  const figures = evidence.flatMap((each, source) =>
    figuresIn(each, readers)
      .filter(({ value }) => Number.isFinite(value))
      .map(({ note = '', ...figure }) => ({ ...figure, note, source, standing: standingOf(figure, bound) })),
  );
  return { name, formula, standing: figures[0]?.standing ?? null, figures };
}

/** Whether the whole interval meets the bound, or none of it. One measurement without an interval shows neither. */
export function standingOf({ low, high }: Pick<Figure, 'low' | 'high'>, { side, value }: Claim['bound']): ClaimStanding {
  if (low === null || high === null) return 'undecided';
  const [worst, best] = side === 'least' ? [low, high] : [-high, -low];
  const bound = side === 'least' ? value : -value;
  return worst >= bound ? 'holds' : best < bound ? 'does-not-hold' : 'undecided';
}

function reasonOf(claim: Claim, first: ClaimDefinition, deciding: ClaimDefinition): string {
  const told = ({ name, figures: [figure] }: ClaimDefinition) => `${name} is ${claimFigureText(figure!, claim.unit)} (${figure!.of})`;
  const others = deciding === first ? '' : `, while ${told(first)}`;
  return `${told(deciding)}${others}; the article’s figure requires ${boundText(claim)}`;
}

/** What a record is of, and how it was made. */
export function sourceOf({ kind, path, record }: Evidence): ClaimSource {
  const subject = kind === 'migration' ? record.model : kind === 'tuning' ? record.settings.name : record.suite.name;
  return { kind, path, subject, command: record.command };
}

/** What measures a claim that has no figure, on the model that other figures are of; in a folder of its own, as another keeps the settings that it began with. */
function commandFor({ id, missing: { measure } }: Claim, evidence: readonly Evidence[]): string[] {
  if ('suite' in measure) return ['claims', measure.suite, '--only', id];
  const migration = evidence.find(({ kind }) => kind === 'migration');
  const { subject, command } = migration === undefined ? { subject: 'model.onnx', command: [] } : sourceOf(migration);
  const own = modelWords(command, measure.model);
  const data = own.some((word) => word.startsWith('--data')) ? [] : ['--data', 'my.data.ts'];
  return ['claims', subject, ...data, ...own, ...measure.model, '--only', id, '--dir', `runs/${id}.claims`];
}

/** Options that say what a model is run on, and how. */
const modelOptions = ['data', 'tokenizer', 'lengths', 'items', 'seed', 'backend', 'dim', 'assume', 'python', 'worker', 'threads'];

/** The words of a command that give them, but for those that `others` give. */
function modelWords(command: readonly string[], others: readonly string[]): string[] {
  const wanted = new Set(modelOptions.map((name) => `--${name}`).filter((option) => !others.includes(option)));
  return command.flatMap((word, at) => {
    if (!wanted.has(word.replace(/=.*/, ''))) return [];
    return word.includes('=') ? [word] : [word, command[at + 1] ?? ''];
  });
}
