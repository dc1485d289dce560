import { isSource, type Source } from "./sources/from.js";

/**
 * Lets a function be called in both styles: with the source first, `map(source, f)`, or without it for a pipe, `map(f)`.
 * It recognises a source by being iterable, which no other first argument is.
 */
export function inBothStyles<T, Rest extends readonly unknown[], Result>(
  apply: (source: Source<T>, ...rest: Rest) => Result,
  args: readonly unknown[],
): Result | ((source: Source<T>) => Result) {
  if (isSource(args[0])) return apply(...(args as unknown as [Source<T>, ...Rest]));
  return (source) => apply(source, ...(args as unknown as Rest));
}
