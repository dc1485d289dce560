/**
 * The way back from the numbers of an enum to its words. `unset` is what 0 means: a field that is not set. A number that is
 * missing comes from a newer program.
 */
export function decodedWords<Word extends string>(
  encoded: Readonly<Record<Word, number>>,
  unset?: NoInfer<Word>,
): ReadonlyMap<number, Word> {
  const numbers = Object.entries(encoded) as [Word, number][];
  const words = new Map(numbers.map(([word, number]): [number, Word] => [number, word]));
  // First, so that an error that lists the numbers begins with 0.
  return unset === undefined ? words : new Map([[0, unset], ...words]);
}
