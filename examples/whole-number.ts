/** An option that is a whole number. Anything else ends the program before it has begun: half an answer looks like one. */
export function wholeNumber(option: string, text: string, least = 0): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(number) && number >= least) return number;
  process.stderr.write(`Cannot take --${option} ${text}: it is a whole number from ${least}\n`);
  process.exit(2);
}
