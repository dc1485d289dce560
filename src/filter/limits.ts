/** Bounds of filters. Not settings: every node accepts the same expressions. */
export const filterBounds = {
  /** UTF-8 bytes of an expression. */
  textBytes: 4096,
  /** Steps of an expression: one for each operand. The body of a macro counts as if there were `elements` elements. */
  cost: 10_000,
  elements: 100,
  /**
   * Steps that one record may take, computed from the number of values in its JSON and from its size. A record above it
   * does not match. 200,000 steps take some milliseconds.
   */
  steps: 200_000,
  /** Bytes of a text that count as one step. */
  bytesPerStep: 64,
  /** Characters of a pattern. */
  patternLength: 1000,
  /** The sum of the counts of `{n,m}` in all patterns of a filter: the compiler writes each repeat out. */
  patternRepeats: 100,
  /** Steps of a compiled pattern. */
  programSize: 500,
  /** Characters of the longest text that a pattern is searched in. A longer text does not match. */
  matchedLength: 65_536,
  /** The longest text for a pattern, in characters times the steps of the compiled pattern. */
  matchedSteps: 4_000_000,
  /** Byte strings that the page query searches for, one after the other. */
  needles: 8,
  /** Nearly every frame contains any single byte: searching for it costs more than it saves. */
  needleBytesMin: 2,
  needleBytesMax: 64,
} as const;
