import type { CommandSpec } from '../declare.ts';

type Load = () => Promise<readonly CommandSpec[]>;

/** Every command, under the headings of --help; one is loaded where it is named, all of them where somebody looks for one. */
const sections: Readonly<Record<string, Readonly<Record<string, Load>>>> = {
  'Migrate a model': {
    sites: async () => [(await import('./sites.ts')).sites],
    swap: async () => [(await import('./swap.ts')).swap],
    migrate: async () => [(await import('./migrate.ts')).migrate],
    tune: async () => [(await import('./tune.ts')).tune],
    capture: async () => [(await import('./capture.ts')).capture],
  },
  'Measure and compare': {
    bench: async () => [(await import('./bench.ts')).bench],
    ab: async () => [(await import('./ab.ts')).ab],
    audit: async () => [(await import('./audit.ts')).audit],
    claims: async () => [(await import('./claims.ts')).claims],
    compare: async () => [(await import('./compare.ts')).compare],
    attend: async () => [(await import('./attend.ts')).attend],
    waste: async () => [(await import('./waste.ts')).waste],
    whatif: async () => [(await import('./whatif.ts')).whatif],
    fleet: async () => (await import('./fleet.ts')).fleetCommands,
  },
  'Watch for regressions': {
    gate: async () => [(await import('./gate.ts')).gate],
    calibrate: async () => [(await import('./calibrate.ts')).calibrate],
    baseline: async () => (await import('./baseline.ts')).baselineCommands,
    history: async () => [(await import('./history.ts')).history],
    store: async () => (await import('./store.ts')).storeCommands,
    query: async () => [(await import('./query.ts')).query],
    dashboard: async () => [(await import('./dashboard.ts')).dashboard],
  },
  'Set up and report': {
    init: async () => [(await import('./init.ts')).init],
    list: async () => [(await import('./list.ts')).list],
    report: async () => [(await import('./report.ts')).report],
    doctor: async () => [(await import('./doctor.ts')).doctor],
    conform: async () => [(await import('./conform.ts')).conform],
    completion: async () => [(await import('./completion.ts')).completion],
  },
};

/** Commands under a heading. */
export interface Section {
  readonly heading: string;
  readonly commands: readonly CommandSpec[];
}

/** The command that `name` is, or all. */
export async function loadCommands(name: string | undefined): Promise<readonly Section[]> {
  const found = Object.entries(sections).map(async ([heading, loads]) => {
    const wanted =
      name === undefined ? Object.values(loads) : Object.entries(loads).flatMap(([each, load]) => (each === name ? [load] : []));
    return { heading, commands: (await Promise.all(wanted.map((load) => load()))).flat() };
  });
  return Promise.all(found);
}

export const commandNames: readonly string[] = Object.values(sections).flatMap((loads) => Object.keys(loads));
