import type { Rectangle } from "../core/index.js";
import {
  ExplainFilterRequest_Method,
  FilterPart_Place,
  InspectServiceService,
} from "../gen/millrace/v1/inspect_service.js";
import type { JsonObject } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";

/** The calls that take filters. */
export type FilteredMethod = "read" | "follow" | "list" | "watch";

/** Who decides on a part of a filter. */
export type FilterPlace =
  /** The page query finds nothing else. */
  | "database"
  /** The page query leaves out most of what does not match, and the node decides. */
  | "database-then-node"
  /** The node, on every record that the page query gives. */
  | "node";

export interface ExplainFilterOptions extends UnaryOptions {
  /** For which call. Default `read`. */
  readonly method?: FilteredMethod | undefined;
  /** As `list` and `watch` take it. */
  readonly rectangle?: Rectangle | undefined;
  /** As `list` and `watch` take it. */
  readonly keyPrefix?: string | undefined;
}

/** How a filter would be run. */
export interface FilterExplanation {
  /** The conditions that it is a conjunction of. */
  readonly parts: readonly { readonly expression: string; readonly place: FilterPlace; readonly reason: string }[];
  /** The indexes of the database that find the rows. */
  readonly indexes: readonly string[];
  /** The database's own plan of the page query, as EXPLAIN prints it. */
  readonly plan: string;
  /** What evaluating it may cost at most, in steps. */
  readonly cost: number;
  /** As proto3 JSON has it. */
  toJSON(): JsonObject;
}

const methods = {
  read: ExplainFilterRequest_Method.READ,
  follow: ExplainFilterRequest_Method.FOLLOW,
  list: ExplainFilterRequest_Method.LIST,
  watch: ExplainFilterRequest_Method.WATCH,
} as const satisfies Record<FilteredMethod, ExplainFilterRequest_Method>;

const places = new Map<FilterPart_Place, FilterPlace>([
  [FilterPart_Place.DATABASE, "database"],
  [FilterPart_Place.DATABASE_THEN_NODE, "database-then-node"],
  [FilterPart_Place.NODE, "node"],
]);

/** Asks how a filter would be run: what the database answers and by which index, and what the node evaluates. */
export async function explainFilter(
  connection: Connection,
  topic: string,
  filter: string,
  { method = "read", rectangle, keyPrefix = "", ...options }: ExplainFilterOptions,
): Promise<FilterExplanation> {
  const request = { topic, filter, method: methods[method], rectangle, keyPrefix };
  const { parts, indexes, plan, cost } = await connection.unary(InspectServiceService.explainFilter, request, options);
  return {
    parts: parts.map(({ expression, place, reason }) => ({ expression, place: placeOf(place), reason })),
    indexes,
    plan,
    cost,
    toJSON: () => ({
      parts: parts.map(({ expression, place, reason }) => ({ expression, place: FilterPart_Place[place], reason })),
      indexes: [...indexes],
      plan,
      cost: String(cost),
    }),
  };
}

function placeOf(place: FilterPart_Place): FilterPlace {
  const known = places.get(place);
  if (known === undefined) throw clientError("INTERNAL", `The server decides a filter at a place that is unknown here`);
  return known;
}
