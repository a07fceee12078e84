/** Says of sites whose own attention could not be timed that tuning cannot choose there. */
export function untimedText(sites: readonly number[]): string {
  const which = sites.length === 1 ? `site ${sites[0]} keeps its` : `sites ${sites.join(', ')} keep their`;
  return `${which} own attention in phase 3: it cannot be timed alone there (OpenVINO’s kernels take no bias, for example), so what others save is unknown; phase 2 measures them in the model`;
}
