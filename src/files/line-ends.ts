const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;

/** What a chunk has become. */
export interface EvenChunk {
  readonly bytes: Uint8Array;
  /** Set when the file's lines end in two ways: what is wrong with the line that `bytes` ends before, or in. */
  readonly fault: { readonly line: number; readonly problem: string } | undefined;
}

/**
 * Makes the lines of a CSV file end with LF or CRLF: those of a file whose lines end with a bare CR, as old Macs write
 * them, get LF. The first line decides. A CR alone in a file of LF may be part of a value or the end of a line, so it is
 * a fault outside of quotes, as is LF in a file of CR. Quotes are counted alone: a file with a quote elsewhere than
 * RFC 4180 wants it is refused where that stands.
 */
export class LineEnds {
  #first: "CR" | "LF" | undefined;
  #isInQuotes = false;
  /** A CR that the chunk before ended with: what follows decides what it is. */
  #hasHeldReturn = false;
  #line = 1;

  take(chunk: Uint8Array): EvenChunk {
    const held = this.#hasHeldReturn;
    this.#hasHeldReturn = false;
    let bytes = held ? Buffer.concat([Buffer.of(carriageReturn), chunk]) : chunk;
    let isCopy = held;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) this.#isInQuotes = !this.#isInQuotes;
      else if (byte === lineFeed) {
        if (!this.#isInQuotes) {
          if (this.#first === "CR") return this.#faultIn(bytes.subarray(0, at));
          this.#first = "LF";
        }
        this.#line += 1;
      } else if (byte === carriageReturn && !this.#isInQuotes) {
        if (at + 1 === bytes.length) {
          this.#hasHeldReturn = true;
          return { bytes: bytes.subarray(0, at), fault: undefined };
        }
        const isWithFeed = bytes[at + 1] === lineFeed;
        if (this.#first === (isWithFeed ? "CR" : "LF")) return this.#faultIn(bytes.subarray(0, at));
        if (isWithFeed) continue;
        this.#first = "CR";
        this.#line += 1;
        // The chunk is its source's, which may use it again.
        if (!isCopy) bytes = Buffer.from(bytes);
        isCopy = true;
        bytes[at] = lineFeed;
      }
    }
    return { bytes, fault: undefined };
  }

  /** A CR that a file ends with ends its last line, whatever the others end with. */
  end(): Uint8Array {
    return this.#hasHeldReturn ? Buffer.of(lineFeed) : Buffer.alloc(0);
  }

  #faultIn(bytes: Uint8Array): EvenChunk {
    const problem =
      this.#first === "CR"
        ? "ends with LF, and the lines before it with CR: end all lines alike"
        : "has a CR outside quotes, and the lines before it end with LF: put the value in quotes, or end all lines alike";
    return { bytes, fault: { line: this.#line, problem } };
  }
}
