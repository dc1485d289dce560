/**
 * An option that is a whole number. An invalid one ends the program before it starts: half an answer looks like one.
 */
export function wholeNumber(option: string, text: string, min = 0): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(number) && number >= min) return number;
  process.stderr.write(`Cannot take --${option} ${text}: it is a whole number from ${min}\n`);
  process.exit(2);
}
