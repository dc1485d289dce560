import { CommandError } from "./output.js";

/**
 * A command line as words: at blanks, but for those inside '…' or "…" or behind a backslash. No shell is involved, so
 * nothing is expanded, piped or redirected. Throws a CommandError for a quote that is not closed, and for no word at all.
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
      word = `${word ?? ""}${line.charAt(at)}`;
    } else if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
      word ??= "";
    } else if (quote === "" && /\s/.test(character)) {
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
