import type { Tuning } from '../contract/tuning.ts';
import { digits, percent } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';
import { easyText, speedText, timedText } from '../tuning/graded.ts';
import type { Graded } from '../tuning/graded.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';

/** How depth and time follow the difficulty of items, of every attention with exits. */
export function gradedText({ baselineGraded, candidates }: TuningReport, { baseline }: Tuning): string {
  const all = [{ candidate: baseline, graded: baselineGraded }, ...candidates];
  return all.flatMap(({ candidate, graded }) => (graded === null ? [] : [gradedTable(candidate, graded)])).join('\n\n');
}

function gradedTable(name: string, { levels, easy, timed, quality }: Graded): string {
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
    wrapped(`${easyText(easy)}Hardest items, exits against all layers: ${quality.reason}.`),
  ].join('\n');
}

function share(value: number | null): string {
  return value === null ? '–' : percent(value);
}
