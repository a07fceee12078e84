import type { Assumption } from './site.ts';

/** An assumption as it is written on the command line. */
export function assumptionText({ mask, input }: Assumption): string {
  return `mask=${mask}${input === undefined ? '' : `:${input}`}`;
}

/** That a site rests on an assumption; undefined where it does not. */
export function assumedText({ site, assumed }: { readonly site: number; readonly assumed?: string | undefined }): string | undefined {
  return assumed === undefined ? undefined : `site ${site}: ${assumed} is assumed; no run confirmed it`;
}
