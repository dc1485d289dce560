const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;

/** The result for one chunk. */
export interface EvenChunk {
  readonly bytes: Uint8Array;
  /** Set when the file mixes line ends: the line and its fault. `bytes` then ends inside or before that line. */
  readonly fault: { readonly line: number; readonly problem: string } | undefined;
}

/**
 * Makes the lines of a CSV file end with LF or CRLF. Files of old Macs end their lines with CR; these get LF. The first
 * line decides. Outside quotes, CR in an LF file is a fault, because it may be part of a value or end a line; so is LF
 * in a CR file. Only the number of quotes is tracked: the CSV parser refuses a misplaced quote.
 */
export class LineEnds {
  #first: "CR" | "LF" | undefined;
  #isInQuotes = false;
  /** The previous chunk ended with CR: the next byte decides whether it is a CRLF. */
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
        // A copy: the source may reuse the chunk.
        if (!isCopy) bytes = Buffer.from(bytes);
        isCopy = true;
        bytes[at] = lineFeed;
      }
    }
    return { bytes, fault: undefined };
  }

  /** A CR at the end of the file ends its last line, whatever the other lines end with. */
  end(): Uint8Array {
    return this.#hasHeldReturn ? Buffer.of(lineFeed) : Buffer.alloc(0);
  }

  #faultIn(bytes: Uint8Array): EvenChunk {
    const problem =
      this.#first === "CR"
        ? "ends with LF, but the lines before it end with CR: use one line end in the whole file"
        : "has a CR outside quotes, but the lines before it end with LF: put the value in quotes, or use one line end";
    return { bytes, fault: { line: this.#line, problem } };
  }
}
