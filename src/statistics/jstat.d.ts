/** The part of jStat that is used; the package brings no types. */
declare module 'jstat' {
  export const jStat: {
    readonly studentt: { inv(p: number, degrees: number): number };
    /** The regularized incomplete beta function I_x(a, b). */
    ibeta(x: number, a: number, b: number): number;
  };
  const exported: { readonly jStat: typeof jStat };
  export default exported;
}
