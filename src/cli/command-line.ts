import { CommandError } from "./output.js";

/** The only characters that end a word in a shell. */
const blanks = " \t\n";

/** Inside "…", a backslash escapes only these characters; before any other, it is literal. */
const escapedInQuotes = '$`"\\\n';

/**
 * Splits a command line into words with the quoting rules of a POSIX shell: at blanks, except inside '…' or "…" or
 * after a backslash. Everything inside '…' is literal. A backslash before a line end joins two lines. No shell runs, so
 * nothing is expanded, piped or redirected. Throws a CommandError for an unclosed quote, a backslash at the end, and a
 * line without words.
 */
export function splitCommandLine(line: string): readonly string[] {
  const words: string[] = [];
  // Undefined between words, because '' is also a word.
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (character === quote) quote = "";
    else if (character === "\\" && quote !== "'") {
      at += 1;
      if (at === line.length) throw refused(line, "ends with a backslash");
      const next = line.charAt(at);
      if (next === "\n") continue;
      const isKept = quote === '"' && !escapedInQuotes.includes(next);
      word = `${word ?? ""}${isKept ? "\\" : ""}${next}`;
    } else if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
      word ??= "";
    } else if (quote === "" && blanks.includes(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ""}${character}`;
  }
  if (quote !== "") throw refused(line, `has a ${quote} that is not closed`);
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw refused(line, "names no command");
  return words;
}

function refused(line: string, why: string): CommandError {
  return new CommandError(`--exec: ${JSON.stringify(line)} ${why}`, 2);
}
