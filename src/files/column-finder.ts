import { FileFormatError } from "./file-format-error.js";

/** Assigns the columns of a CSV header, each at most once. */
export class ColumnFinder {
  readonly #header: readonly string[];
  readonly #where: string;
  readonly #taken = new Set<number>();

  constructor(header: readonly string[], where: string) {
    this.#header = header;
    this.#where = where;
  }

  /** The column with this name. Throws a FileFormatError if there is none. */
  named(name: string): number {
    const index = this.#header.indexOf(name);
    if (index === -1) {
      const known = this.#header.map((each) => JSON.stringify(each)).join(", ");
      throw new FileFormatError(this.#where, `there is no column ${JSON.stringify(name)}; there are ${known}`);
    }
    this.#taken.add(index);
    return index;
  }

  /** The column with this name, if there is one. */
  ifNamed(name: string): number | undefined {
    return this.#header.includes(name) ? this.named(name) : undefined;
  }

  /** This name, if there is a column with it. */
  exactly(name: string): string | undefined {
    return this.#header.includes(name) ? name : undefined;
  }

  /** The first of these names that a column has, ignoring case. */
  oneOf(names: readonly string[]): string | undefined {
    for (const name of names) {
      const found = this.#header.find((each) => each.toLowerCase() === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The columns that were not assigned. */
  rest(): readonly (readonly [name: string, index: number])[] {
    return this.#header.flatMap((name, index) => (this.#taken.has(index) ? [] : [[name, index] as const]));
  }
}
