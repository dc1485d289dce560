/** Bounds of filters. Not settings: an expression that one node takes, all take. */
export const filterBounds = {
  /** UTF-8 bytes of an expression. */
  textBytes: 4096,
  /** Steps: one for each operand, and for what runs over elements as if there were `elements` of them. */
  cost: 10_000,
  elements: 100,
  /**
   * Steps that one record may really take, with as many elements as its JSON has values, and as long texts as it has. A
   * record above it does not match. Some milliseconds.
   */
  steps: 200_000,
  /** Bytes of a text that count as one step. */
  bytesPerStep: 64,
  /** Characters of a pattern. */
  patternLength: 1000,
  /** What `{n,m}` counts up to, in all patterns of a filter: each is written out. */
  patternRepeats: 100,
  /** Steps of a compiled pattern. */
  programSize: 500,
  /** Characters of a text that a pattern is looked for in; there is no match in a longer one. */
  matchedLength: 65_536,
  /** And characters times steps of the pattern. */
  matchedSteps: 4_000_000,
  /** Bytes that the page query looks for, one after the other. */
  needles: 8,
  /** A single byte is in nearly every frame: to look for it costs more than it saves. */
  needleBytes: 2,
  needleBytesMost: 64,
} as const;
