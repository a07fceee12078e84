import type { Gate, Suite } from '../contract/suite.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Rule } from '../decide/rule.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { selects } from '../measure/plan-cells.ts';

/**
 * The rules that a cell is judged by: of each metric the gate that selects it with the most fields, of equals the later.
 * @param today ISO date: gates that expire before it decide nothing
 */
export function rulesOf(plan: CellPlan, gates: readonly Gate[], today: string): Rule[] {
  const chosen = new Map<Gate['metric'], Gate>();
  for (const gate of gates) {
    if (!selects(gate.select, plan)) continue;
    const other = chosen.get(gate.metric);
    if (other === undefined || fields(gate) >= fields(other)) chosen.set(gate.metric, gate);
  }
  return [...chosen.values()].map((gate) => ruleOf(gate, today));
}

/** @throws INVALID_SUITE where there is no gate, or one selects no cell: it would pass for ever */
export function checkGates({ name, gates }: Suite, plans: readonly CellPlan[]): void {
  if (gates.length === 0) {
    throw new AttnswapError('INVALID_SUITE', `${name}: declares no gates, so there is nothing to judge`, {
      hint: "gates: [{ select: {}, metric: 'latency', margin: 0.05 }]",
    });
  }
  for (const [index, gate] of gates.entries()) {
    if (plans.some((plan) => selects(gate.select, plan))) continue;
    throw new AttnswapError(
      'INVALID_SUITE',
      `${name}: gates.${index} (${gate.metric}) selects none of the ${plans.length} cells: ${JSON.stringify(gate.select)}`,
      {
        hint: 'a gate that selects nothing would always pass: remove it or fix its select',
      },
    );
  }
}

function fields(gate: Gate): number {
  return Object.keys(gate.select).length;
}

function ruleOf(gate: Gate, today: string): Rule {
  const { metric, margin, direction, absoluteFloor, onInconclusive } = gate;
  const decides = gate.expires === undefined || gate.expires >= today;
  return { metric, margin, direction, absoluteFloor, onInconclusive, limit: gate.limit ?? null, owner: gate.owner ?? null, decides };
}
