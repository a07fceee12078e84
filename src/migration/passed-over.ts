/** Says of sites that keep their own attention why they do: their queries are not at their keys' positions. */
export function passedOverText(sites: readonly number[]): string {
  const which = sites.length === 1 ? `site ${sites[0]} keeps its own attention` : `sites ${sites.join(', ')} keep their own attention`;
  return `${which}: this variant selects keys by position, and the queries there are not at the positions of the keys (cross-attention, or some positions only)`;
}
