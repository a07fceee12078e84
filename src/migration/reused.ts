/** `12 figures reused, measured on this host 2026-11-29 14:03 to 2026-11-30 09:10 UTC`: what was not measured in this run, and when it was. */
export function reusedText(reused: Readonly<Record<string, string>>): string {
  const times = Object.values(reused).toSorted();
  const [first, last] = [times[0]!, times.at(-1)!].map((time) => time.slice(0, 16).replace('T', ' '));
  const when = first === last ? `${first}` : `${first} to ${last}`;
  return `${times.length} figure${times.length === 1 ? '' : 's'} reused, measured on this host ${when} UTC`;
}
