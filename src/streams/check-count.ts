/** Refuses what is not a whole number of at least `least`. */
export function checkCount(what: string, count: number, least: number): void {
  if (!(Number.isSafeInteger(count) && count >= least)) {
    throw new RangeError(`Cannot ${what} ${count}: it takes a whole number from ${least}`);
  }
}
