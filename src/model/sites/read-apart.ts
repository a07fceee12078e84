import { nodeName } from '../graph/graph-index.ts';
import type { Candidate } from './candidate.ts';
import { asFault, failing, saidBy } from './failing.ts';
import type { LongProof } from './judge-long.ts';
import { probeCandidates } from './probe-candidates.ts';
import type { Probed, Probing, ProbeSubject } from './probe-candidates.ts';
import { proveLong } from './prove-long.ts';
import { readSite, unread } from './read-site.ts';
import type { ReadOptions, ReadSite as Read } from './read-site.ts';
import type { SwappableSite } from './site.ts';

// What makes one candidate's reading fail is told as that site's reason, and keeps no other from being read.

interface ProbedApart {
  readonly probing: Probing;
  /** Of candidates that are not among those probed, why. */
  readonly faults: ReadonlyMap<Candidate, Error>;
}

/**
 * Probes candidates, but for those beside which a model fails that runs without them: a runtime may refuse what is computed to read them.
 * @throws what probing throws where the model itself does not run
 */
export async function probeApart(subject: ProbeSubject): Promise<ProbedApart> {
  const { candidates } = subject;
  try {
    return { probing: await probeCandidates(subject), faults: new Map() };
  } catch (error) {
    asFault(error);
    const alone = await probeCandidates({ ...subject, candidates: [] }).catch(() => undefined);
    if (alone === undefined) throw error;
    const faults = await failing(candidates, (some) => probeCandidates({ ...subject, candidates: some, at: alone.first }));
    if (faults.size === 0) throw error;
    const rest = await probeApart({ ...subject, candidates: candidates.filter((candidate) => !faults.has(candidate)) });
    return { ...rest, faults: new Map([...faults, ...rest.faults]) };
  }
}

/** A candidate as a site that could not be read. */
export function unreadSite({ anchor, pattern, refusal }: Candidate, site: number, fault?: Error): Read {
  const reason = refusal ?? `its queries, keys and values cannot be read: ${saidBy(fault!)}`;
  return { site: { site, node: nodeName(anchor), pattern, ...unread, reason } };
}

/** As {@link readSite}. */
export function readApart(site: number, probed: Probed, options: ReadOptions): Read {
  try {
    return readSite(probed.candidate, site, probed, options);
  } catch (error) {
    return unreadSite(probed.candidate, site, asFault(error));
  }
}

/** As {@link proveLong}. */
export async function proveApart(
  subject: ProbeSubject,
  probing: Probing,
  sites: ReadonlyMap<number, SwappableSite>,
): Promise<Map<number, LongProof>> {
  const proofs = new Map<number, LongProof>();
  const faults = await failing([...sites], async (some) => {
    for (const [place, proof] of await proveLong(subject, probing, new Map(some))) proofs.set(place, proof);
  });
  for (const [[place], fault] of faults)
    proofs.set(place, { length: undefined, problem: `its mask cannot be read at longer lengths: ${saidBy(fault)}` });
  return proofs;
}
