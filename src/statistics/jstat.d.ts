/** The part of jStat that is used; the package brings no types. */
declare module 'jstat' {
  export const jStat: {
    readonly studentt: { inv(p: number, degrees: number): number; cdf(t: number, degrees: number): number };
  };
  const exported: { readonly jStat: typeof jStat };
  export default exported;
}
