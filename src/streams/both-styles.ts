import { isSource, type Source } from "./sources/from.js";

/**
 * Lets a function of a source and more be called in both styles: at once with the source, `map(source, f)`, or without
 * it for a pipe, `map(f)`. A source is told from the other arguments by being iterable.
 */
export function inBothStyles<T, Rest extends readonly unknown[], Result>(
  apply: (source: Source<T>, ...rest: Rest) => Result,
  args: readonly unknown[],
): Result | ((source: Source<T>) => Result) {
  if (isSource(args[0])) return apply(...(args as unknown as [Source<T>, ...Rest]));
  return (source) => apply(source, ...(args as unknown as Rest));
}
