import { isError, kindOf, levels, type LogLine } from "./log-line.js";

/** Names beyond this number are counted together: there may be any number of invented names. */
const namesMax = 1000;
const others = "(others)";

/** How often each of the first thousand names was counted. */
export class Counts {
  readonly #counts = new Map<string, number>();

  increment(name: string): void {
    const count = this.#counts.get(name);
    if (count !== undefined) this.#counts.set(name, count + 1);
    else if (this.#counts.size >= namesMax) this.#counts.set(others, (this.#counts.get(others) ?? 0) + 1);
    // A copy: a part of a line would keep the whole chunk of the file in memory.
    else this.#counts.set(Buffer.from(name).toString(), 1);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  names(): string[] {
    return [...this.#counts.keys()].toSorted();
  }

  /** The most frequent names first. */
  top(count: number): { readonly name: string; readonly times: number }[] {
    return this.names()
      .map((name) => ({ name, times: this.get(name) }))
      .toSorted((a, b) => b.times - a.times)
      .slice(0, count);
  }
}

/** The findings in all files. Their size depends on the number of names, up to a bound, and not on the lines. */
export class Findings {
  files = 0;
  lines = 0;
  broken = 0;
  failures = 0;
  readonly sources = new Counts();
  readonly byLevelAndSource = new Counts();
  readonly errors = new Counts();

  add(line: LogLine): void {
    this.sources.increment(line.source);
    this.byLevelAndSource.increment(`${line.level} ${line.source}`);
    if (isError(line)) this.errors.increment(`${line.source}: ${kindOf(line)}`);
  }

  /** For people. */
  *table(topErrors: number): Generator<string, void> {
    yield `${this.files} files, ${this.failures} of them unreadable; ${this.lines} lines, ${this.broken} of them broken\n`;
    const sources = this.sources.top(8).map(({ name }) => name);
    yield `${["", ...sources].map((name) => name.padStart(9)).join("")}\n`;
    for (const level of levels) {
      const counts = sources.map((source) => `${this.byLevelAndSource.get(`${level} ${source}`)}`.padStart(9));
      yield `${level.padStart(9)}${counts.join("")}\n`;
    }
    for (const { name, times } of this.errors.top(topErrors)) yield `${`${times}`.padStart(6)} × ${name}\n`;
  }

  toJSON() {
    const levelsOf = (source: string) =>
      Object.fromEntries(levels.map((level) => [level, this.byLevelAndSource.get(`${level} ${source}`)]));
    return {
      files: this.files,
      lines: this.lines,
      broken: this.broken,
      failures: this.failures,
      sources: Object.fromEntries(this.sources.names().map((source) => [source, levelsOf(source)])),
      errors: this.errors.top(10),
    };
  }
}
