/** Refuses a count that is not a whole number from `min`. */
export function checkCount(what: string, count: number, min: number): void {
  if (!(Number.isSafeInteger(count) && count >= min)) {
    throw new RangeError(`Cannot ${what} ${count}: it must be a whole number from ${min}`);
  }
}
