import { CommandError } from "./output.js";

/** A shell takes no other blank for the end of a word. */
const blanks = " \t\n";

/** What a backslash inside "…" takes its meaning from; before anything else it stands for itself. */
const escapedInQuotes = '$`"\\\n';

/**
 * A command line as words, quoted as a POSIX shell has it: at blanks, but for those inside '…' or "…" or behind a
 * backslash. Inside '…' everything is as it stands. A backslash before the end of a line joins two lines. No shell is
 * involved, so nothing is expanded, piped or redirected. Throws a CommandError for a quote that is not closed, for a
 * backslash at the end, and for no word at all.
 */
export function splitCommandLine(line: string): readonly string[] {
  const words: string[] = [];
  // Undefined between words: '' is a word too.
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
