/** Bounds of filters. Not settings: an expression that one server takes, every server takes. */
export const filterLimits = {
  /** Of an expression, in bytes of UTF-8. */
  textBytes: 4096,
  /** Parentheses, calls and operators inside each other. Chains of && and || count once. */
  depth: 64,
  /** What one evaluation may cost by the expression alone, in steps. */
  cost: 10_000,
  /** How many elements a list of a record is taken to have when the cost is reckoned. */
  elements: 100,
  /**
   * What one evaluation may cost with what the record holds, in steps: 5 to 20 ms. A record that needs more does not
   * match.
   */
  fuel: 1_000_000,
  /** Of a regular expression, in characters and in instructions of its program. */
  patternCharacters: 1000,
  patternSize: 500,
  /** Elements of a list in the expression. */
  listElements: 1000,
} as const;
