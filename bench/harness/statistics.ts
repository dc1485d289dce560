/** The middle value; the mean of the two in the middle of an even number. Undefined for none. */
export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}

/** The value that a part of the others is not above, between neighbours on a straight line. */
export function quantile(values: readonly number[], part: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  if (below === undefined || above === undefined) return undefined;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * The median of the ratios of rounds that stood side by side: on a machine that others use too, neighbours share its
 * mood, and medians of each alone would not.
 */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number | undefined {
  const pairs = Math.min(ours.length, theirs.length);
  return median(Array.from({ length: pairs }, (_, round) => (ours[round] as number) / (theirs[round] as number)));
}
