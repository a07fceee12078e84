import { AttnswapError } from '../../contract/errors.ts';
import { builtInSuites } from '../../loading/built-in.ts';
import type { FleetStatus } from '../../operations/fleet-status.ts';
import type { FetchedRecord, FetchedRun, FleetResult } from '../../operations/fleet-wait.ts';
import { defaults } from '../../operations/defaults.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson, remark, tell } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { argument, defineCommand, flag, option, place, withDefault } from '../declare.ts';
import { threads } from '../options.ts';
import { seconds, wholeNumber } from '../parse.ts';
import { working } from '../work.ts';

const address = {
  redis: option('<url>', 'rediss://user:password@host:port (default: $ATTNSWAP_REDIS)'),
  insecure: flag('accept a connection without TLS or without a password'),
};
const trust = withDefault(defaults.fleetTrust, option('<file>', 'public keys of trusted hosts, one per line'));
const submission = argument('id printed by fleet submit');

const join = defineCommand({
  name: 'fleet join',
  summary: 'make this machine a worker of a fleet, until interrupted',
  arguments: {},
  options: {
    ...address,
    labels: option('<list>', 'labels for --on besides os, arch and cpu, e.g. gpu=none,rack=3'),
    name: option('<name>', "name of this host (default: the system's host name)"),
    key: withDefault(defaults.fleetKey, option('<file>', 'private key that signs records; created if missing')),
    lostAfter: withDefault(defaults.lostAfterSeconds, option('<s>', 'seconds of silence after which this host counts as lost', seconds)),
    threads,
  },
  examples: ['attnswap fleet join --labels gpu=none,rack=3', 'attnswap fleet join --redis redis://localhost --insecure'],
  async run({ lostAfter, ...given }) {
    const { joinFleet } = await import('../../operations/fleet-join.ts');
    const onJoined = ({ name, publicKey }: { name: string; publicKey: string }) => tell(`${name} has joined; its key: ${publicKey}`);
    const taken = await working(given, (hooks) =>
      joinFleet({ ...given, ...hooks, ...addressOf(given), lostAfterSeconds: lostAfter, onJoined }),
    );
    if (given.json === true) printJson(taken);
    return exitCodes.pass;
  },
});

const submit = defineCommand({
  name: 'fleet submit',
  summary: 'queue runs of a suite for the hosts of a fleet',
  arguments: { suite: argument(`${builtInSuites.join(', ')}, or a suite file (no adapters, workers or captured inputs)`) },
  options: {
    ...address,
    on: option('<list>', "hosts with these labels, e.g. 'cpu=*epyc*,gpu=none', host=alpha (default: all)"),
    repeat: withDefault(1, option('<n>', 'runs per host', wholeNumber(1))),
    trust,
  },
  examples: ["attnswap fleet submit lengths --on 'cpu=*epyc*' --repeat 3", 'attnswap fleet submit ./my.suite.ts'],
  async run(given) {
    const { submitToFleet } = await import('../../operations/fleet-submit.ts');
    const submitted = await working(given, ({ onWarning }) => submitToFleet({ ...given, ...addressOf(given), onWarning }));
    if (given.json === true) printJson(submitted);
    else print(submitted.submission);
    const { hosts, repeat } = submitted;
    remark(`${hosts.length * repeat} runs on ${hosts.length} hosts: ${hosts.map(({ name }) => name).join(', ')}`, given);
    remark(`next: attnswap fleet wait ${submitted.submission}`, given);
    return exitCodes.pass;
  },
});

const wait = defineCommand({
  name: 'fleet wait',
  summary: 'wait until a submission has ended, and fetch its run records',
  arguments: { submission },
  options: {
    ...address,
    dir: place('folder', withDefault(defaults.fleetRuns, option('<dir>', 'folder for the run records'))),
    trust,
    giveUp: withDefault(defaults.giveUpSeconds, option('<s>', 'seconds without a suitable host before a run is given up', seconds)),
  },
  examples: ['attnswap fleet wait k3v9x2a1b4c5', 'attnswap fleet wait k3v9x2a1b4c5 --give-up 600'],
  exits: { [exitCodes.incomplete]: 'a declared cell was not measured' },
  async run({ giveUp, ...given }) {
    const { waitForFleet } = await import('../../operations/fleet-wait.ts');
    const result = await working(given, (hooks) => waitForFleet({ ...given, ...hooks, ...addressOf(given), giveUpSeconds: giveUp }));
    if (given.json === true) printJson(result);
    else print(resultText(result));
    return exitCodeOf(result);
  },
});

const status = defineCommand({
  name: 'fleet status',
  summary: 'list the hosts and submissions of a fleet',
  arguments: {},
  options: address,
  examples: ['attnswap fleet status', 'attnswap fleet status --json'],
  async run(given) {
    const { fleetStatus } = await import('../../operations/fleet-status.ts');
    const found = await working(given, () => fleetStatus(addressOf(given)));
    if (given.json === true) printJson(found);
    else print(statusText(found));
    return exitCodes.pass;
  },
});

const cancel = defineCommand({
  name: 'fleet cancel',
  summary: 'cancel the remaining runs of a submission, keeping what was measured',
  arguments: { submission },
  options: address,
  examples: ['attnswap fleet cancel k3v9x2a1b4c5'],
  async run(given) {
    const { cancelSubmission } = await import('../../operations/fleet-status.ts');
    const removed = await working(given, () => cancelSubmission({ ...addressOf(given), submission: given.submission }));
    if (given.json === true) printJson({ submission: given.submission, removed });
    else print(`${removed} runs removed from the queue; a run that is being measured ends with its current cell`);
    return exitCodes.pass;
  },
});

export const fleetCommands = [join, submit, wait, status, cancel];

interface GivenAddress {
  readonly redis?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** On the command line of a process everybody can read a password; in its environment its user alone. */
function addressOf({ redis = process.env['ATTNSWAP_REDIS'], insecure }: GivenAddress): { redis: string; insecure: boolean | undefined } {
  if (redis !== undefined && redis !== '') return { redis, insecure };
  throw new AttnswapError('USAGE', 'no server was given, expected --redis or the environment variable ATTNSWAP_REDIS', {
    hint: 'for example ATTNSWAP_REDIS=rediss://user:password@host:6380',
  });
}

/** As for `bench`: 5 where a cell failed or is wrong, 3 where one is missing or not supported. */
function exitCodeOf({ complete, runs }: FleetResult): ExitCode {
  const records = runs.flatMap((run) => run.records);
  if (records.some(({ failed }) => failed > 0)) return exitCodes.error;
  return complete && records.every(({ unsupported }) => unsupported === 0) ? exitCodes.pass : exitCodes.incomplete;
}

/** Missing cells that are named for each run. */
const namedCells = 10;

function resultText({ complete, runs }: FleetResult): string {
  const rows = runs.flatMap((run) => (run.records.length === 0 ? [rowOf(run)] : run.records.map((record) => rowOf(run, record))));
  const missing = runs.flatMap(missingText);
  const head = table([['host', 'repeat', 'cells', 'failed', 'record'], ...rows]);
  return [head, ...missing, complete ? '' : 'incomplete'].filter((part) => part !== '').join('\n\n');
}

function rowOf({ host, repeat }: FetchedRun, record?: FetchedRecord): string[] {
  const by = record === undefined || record.host === host ? host : `${host} (by ${record.host})`;
  return [visible(by), String(repeat), String(record?.cells ?? 0), String(record?.failed ?? 0), visible(record?.file ?? '–')];
}

function missingText({ host, repeat, missing, reasons }: FetchedRun): string[] {
  if (missing.length === 0 && reasons.length === 0) return [];
  const cells = missing === 'all' ? ['all cells'] : missing.slice(0, namedCells);
  const more = missing.length > namedCells && missing !== 'all' ? [`… and ${missing.length - namedCells} more`] : [];
  const lines = [...reasons, ...cells.map((cell) => `missing: ${cell}`), ...more];
  return [`${visible(host)}, repeat ${repeat}:\n${lines.map((line) => `  ${visible(line)}`).join('\n')}`];
}

function statusText({ hosts, submissions }: FleetStatus): string {
  if (hosts.length === 0) return 'no host has joined; attnswap fleet join makes this machine a worker';
  const labels = (of: Readonly<Record<string, string>>) =>
    Object.entries(of)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ');
  const hostRows = hosts.map(({ name, doing, version, labels: of, publicKey }) =>
    [name, doing ?? 'lost', version, labels(of), publicKey].map((text) => visible(text)),
  );
  const rows = submissions.map(({ id, suite, submittedAt, runs, ended, cancelled }) => [
    id,
    visible(suite),
    submittedAt.slice(0, 16),
    `${ended} of ${runs} runs`,
    cancelled ? 'cancelled' : ended === runs ? 'ended' : 'under way',
  ]);
  const tables = [table([['host', 'now', 'version', 'labels', 'key'], ...hostRows], 5)];
  if (rows.length > 0) tables.push(table([['submission', 'suite', 'submitted', 'ended', ''], ...rows], 5));
  return tables.join('\n\n');
}
