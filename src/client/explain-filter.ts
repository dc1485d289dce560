import type { Rectangle } from "../core/index.js";
import {
  ExplainFilterRequest_Method,
  FilterPart_Place,
  InspectServiceService,
} from "../gen/millrace/v1/inspect_service.js";
import type { JsonObject } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";

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

export interface ExplainFilterOptions extends UnaryOptions {
  /** The call that takes the filter. Default `read`. */
  readonly method?: FilteredMethod | undefined;
  /** As `list` and `watch` take it. */
  readonly rectangle?: Rectangle | undefined;
  /** As `list` and `watch` take it. */
  readonly keyPrefix?: string | undefined;
}

/** A filter on a topic, and how it is asked about. */
interface TopicFilter extends ExplainFilterOptions {
  readonly topic: string;
  readonly filter: string;
}

/** How a filter would be evaluated. */
export interface FilterExplanation {
  /** The conditions that the filter joins with `&&`. */
  readonly parts: readonly { readonly expression: string; readonly place: FilterPlace; readonly reason: string }[];
  /** The database indexes that the page query uses. */
  readonly indexes: readonly string[];
  /** The database's plan of the page query, as EXPLAIN prints it. */
  readonly plan: string;
  /** The highest cost of evaluating the filter on one record, in steps. */
  readonly cost: number;
  /** In proto3 JSON. */
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

/** Asks how a filter would be evaluated: what the database answers, with which indexes, and what the node evaluates. */
export async function explainFilter(
  connection: Connection,
  { topic, filter, method = "read", rectangle, keyPrefix = "", ...options }: TopicFilter,
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
  if (known === undefined) throw clientError("INTERNAL", "The server evaluates the filter at an unknown place");
  return known;
}
