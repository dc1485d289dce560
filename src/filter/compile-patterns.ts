/** Compiles the patterns of `matches`. Refuses those that could take much time or memory. */

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import { filterBounds } from "./limits.js";
import { filterFault, startOf } from "./syntax.js";

/** A pattern, and the length of the longest text that it is searched in. A larger program allows only shorter texts. */
export interface CompiledPattern {
  readonly regex: RE2JS;
  readonly textLength: number;
}

/** The patterns of one filter. */
export class FilterPatterns {
  readonly #text: string;
  readonly #compiled = new Map<string, CompiledPattern>();
  #repeats = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get compiled(): ReadonlyMap<string, CompiledPattern> {
    return this.#compiled;
  }

  /** Compiles the pattern of a `matches`. Throws `invalid-argument` on `filter`. */
  add(pattern: ASTNode | undefined): void {
    if (pattern?.op !== "value" || typeof pattern.args !== "string") {
      const at = pattern === undefined ? 0 : startOf(pattern);
      throw filterFault(this.#text, at, "the pattern of matches must be a text constant, not a value of the record");
    }
    const fault = (description: string) => filterFault(this.#text, startOf(pattern), description);
    const { length } = pattern.args;
    const { patternLength, patternRepeats, programSize } = filterBounds;
    if (length > patternLength) {
      throw fault(`a pattern may have ${patternLength} characters, this one has ${length}`);
    }
    // Checked before compiling: the compiler writes each repeat out.
    this.#repeats += repeatsOf(pattern.args);
    if (this.#repeats > patternRepeats) {
      throw fault(
        `the counts of {n,m} in a filter's patterns may add up to ${patternRepeats}, these add up to ${this.#repeats}`,
      );
    }
    let regex: RE2JS;
    try {
      regex = RE2JS.compile(pattern.args);
    } catch (error) {
      throw fault(`is not a pattern of RE2: ${error instanceof Error ? error.message : String(error)}`);
    }
    const size = regex.programSize();
    if (size > programSize) throw fault(`compiles to ${size} steps, at most ${programSize} are allowed: simplify it`);
    const textLength = Math.min(filterBounds.matchedLength, Math.floor(filterBounds.matchedSteps / Math.max(1, size)));
    this.#compiled.set(pattern.args, { regex, textLength });
  }
}

/** The sum of the upper counts of `{n}`, `{n,}` and `{n,m}`. */
function repeatsOf(pattern: string): number {
  let sum = 0;
  for (const [, min = "0", max = ""] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) sum += Number(max || min);
  return sum;
}
