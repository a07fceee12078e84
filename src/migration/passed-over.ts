/** Says of sites that keep their own attention why they do. */
export function passedOverText(sites: readonly number[]): string {
  const which =
    sites.length === 1
      ? `site ${sites[0]} is cross-attention and keeps its own`
      : `sites ${sites.join(', ')} are cross-attention and keep their own`;
  return `${which}: this variant selects keys by position`;
}
