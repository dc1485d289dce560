/** What InspectService tells of filters and queues. */

import type { FilteredMethod, FilterPlace, QueueKind } from "../../core/index.js";
import { ExplainFilterRequest_Method, FilterPart_Place, Queue_Kind } from "../../gen/millrace/v1/inspect_service.js";
import { decodedWords } from "./decoded-words.js";

export const encodedFilteredMethod = {
  read: ExplainFilterRequest_Method.READ,
  follow: ExplainFilterRequest_Method.FOLLOW,
  list: ExplainFilterRequest_Method.LIST,
  watch: ExplainFilterRequest_Method.WATCH,
} as const satisfies Record<FilteredMethod, ExplainFilterRequest_Method>;

/** Unset: read. */
export const decodedFilteredMethod = decodedWords<FilteredMethod>(encodedFilteredMethod, "read");

export const encodedFilterPlace = {
  database: FilterPart_Place.DATABASE,
  "database-then-node": FilterPart_Place.DATABASE_THEN_NODE,
  node: FilterPart_Place.NODE,
} as const satisfies Record<FilterPlace, FilterPart_Place>;

export const decodedFilterPlace = decodedWords<FilterPlace>(encodedFilterPlace);

export const encodedQueueKind = {
  lane: Queue_Kind.LANE,
  publish: Queue_Kind.PUBLISH,
  tail: Queue_Kind.TAIL,
} as const satisfies Record<QueueKind, Queue_Kind>;

export const decodedQueueKind = decodedWords<QueueKind>(encodedQueueKind);
