import type { Tuning } from '../contract/tuning.ts';
import { digits, percent } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';
import { easyText, payingText, speedText, timedText } from '../tuning/graded.ts';
import type { Graded } from '../tuning/graded.ts';
import { exitsText } from '../tuning/trial.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';

/** How depth and time follow the difficulty of items, of every attention with exits. */
export function gradedText({ baseline, baselineGraded, candidates }: TuningReport, { baseline: name }: Tuning): string {
  const all = [{ candidate: name, finalists: baseline, graded: baselineGraded }, ...candidates];
  return all
    .flatMap(({ candidate, finalists, graded }) =>
      graded === null ? [] : [gradedTable(`${candidate}, ${exitsText(finalists[0]!.trial)},`, graded)],
    )
    .join('\n\n');
}

function gradedTable(name: string, graded: Graded): string {
  const { levels, easy, timed, quality } = graded;
  const rows = levels.map(({ difficulty, items, score, whole, layers, latency }) => [
    String(difficulty),
    String(items),
    share(whole),
    share(score),
    layers === null ? '–' : digits(layers),
    speedText(latency),
  ]);
  return [
    wrapped(
      `${name} by difficulty of the items: scores through all layers and with exits. Speed: time without exits ÷ time with exits, on ${timedText(timed)}`,
    ),
    table([['difficulty', 'items', 'all layers', 'exits', 'layers', 'speed'], ...rows]),
    wrapped(`${easyText(easy)}${payingText(graded)}Hardest items, exits against all layers: ${quality.reason}.`),
  ].join('\n');
}

function share(value: number | null): string {
  return value === null ? '–' : percent(value);
}
