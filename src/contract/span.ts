/** How many keys before and after its own position a query may see, by position alone; Infinity where there is no limit. */
export interface Span {
  readonly left: number;
  readonly right: number;
}

/** Dense attention, causal or not. */
export function denseSpan(causal: boolean): Span {
  return { left: Infinity, right: causal ? 0 : Infinity };
}

/** Whether whatever lies in one span lies in another. */
export function covers(outer: Span, inner: Span): boolean {
  return outer.left >= inner.left && outer.right >= inner.right;
}
