/** Bounds of filters. Not settings: an expression that one node takes, all take. */
export const filterBounds = {
  /** UTF-8 bytes of an expression. */
  textBytes: 4096,
  /** Steps: one for each operand, and for what runs over elements as if there were `elements` of them. */
  cost: 10_000,
  elements: 100,
  /**
   * Steps that one record may really take: what runs over elements is multiplied by how many values its JSON has. A
   * record above it does not match. Some milliseconds.
   */
  steps: 200_000,
  /** Characters of a pattern. */
  patternLength: 1000,
  /** Characters of a text that a pattern is looked for in; there is no match in a longer one. */
  matchedLength: 65_536,
  /** Bytes that the page query looks for, one after the other. */
  needles: 8,
  /** A single byte is in nearly every frame: to look for it costs more than it saves. */
  needleBytes: 2,
} as const;
