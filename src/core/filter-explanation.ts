/** The calls that take a filter. */
export type FilteredMethod = "read" | "follow" | "list" | "watch";

/** Where a part of a filter is evaluated. */
export type FilterPlace =
  /** In the page query alone: it returns only records that match. */
  | "database"
  /** The page query leaves out most records that do not match; the node evaluates the rest. */
  | "database-then-node"
  /** In the node, on every record that the page query returns. */
  | "node";

/** One of the conditions that a filter joins with `&&`. */
export interface FilterPart {
  readonly expression: string;
  readonly place: FilterPlace;
  readonly reason: string;
}

/** How a filter would be evaluated. */
export interface FilterExplanation {
  readonly parts: readonly FilterPart[];
  /** The database indexes that the page query uses. */
  readonly indexes: readonly string[];
  /** The database's plan of the page query, as EXPLAIN prints it. */
  readonly plan: string;
  /** The highest cost of evaluating the filter on one record, in steps. */
  readonly cost: number;
}
