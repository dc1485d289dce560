import type { FilteredMethod, FilterExplanation as Explained, FilterPlace, Rectangle } from "../core/index.js";
import { FilterPart_Place, InspectServiceService } from "../gen/millrace/v1/inspect_service.js";
import { decodedFilterPlace, encodedFilteredMethod, type JsonObject } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";

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
export interface FilterExplanation extends Explained {
  /** In proto3 JSON. */
  toJSON(): JsonObject;
}

/** Asks how a filter would be evaluated: what the database answers, with which indexes, and what the node evaluates. */
export async function explainFilter(
  connection: Connection,
  { topic, filter, method = "read", rectangle, keyPrefix = "", ...options }: TopicFilter,
): Promise<FilterExplanation> {
  const request = { topic, filter, method: encodedFilteredMethod[method], rectangle, keyPrefix };
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
  const known = decodedFilterPlace.get(place);
  if (known === undefined) throw clientError("INTERNAL", "The server evaluates the filter at an unknown place");
  return known;
}
