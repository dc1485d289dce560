/** The median; for an even number of values the mean of the middle two. Undefined for none. */
export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}

/** The value that `part` of the values do not exceed, interpolated linearly. */
export function quantile(values: readonly number[], part: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  if (below === undefined || above === undefined) return undefined;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * The median of the ratios of neighbouring rounds. On a shared machine, neighbours have the same conditions, which
 * separate medians would not.
 */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number | undefined {
  const pairs = Math.min(ours.length, theirs.length);
  return median(Array.from({ length: pairs }, (_, round) => (ours[round] as number) / (theirs[round] as number)));
}
