/**
 * Explains how a filter would be evaluated: the decisions that a read makes, and the database's plan of its page query.
 */

import type { FilteredMethod, FilterExplanation, FilterPart, Rectangle } from "../../core/index.js";
import { type Conjunct, type Filter, type NeedKind, needlesOf } from "../../filter/index.js";
import type { ExplainedRead } from "../../store/index.js";
import { searchFor, searchRecordsMax } from "./frame-search.js";
import { createSearchReach } from "./search-reach.js";
import type { ReadingParts } from "./page-stream.js";
import { recordsWithin, requireState } from "./state.js";
import { selectionOf } from "./state-selection.js";
import type { Topic } from "../topics/topic.js";

export interface ExplainFilterCommand {
  readonly topic: string;
  readonly filter: Filter;
  readonly method: FilteredMethod;
  /** As in a listing or a watch. */
  readonly rectangle: Rectangle | undefined;
  readonly keyPrefix: string;
}

/** Indexes that find the topic itself, not its records. */
const headIndexes = new Set(["topic_heads_pkey"]);

export async function explainFilter(
  parts: ReadingParts,
  command: ExplainFilterCommand,
  signal: AbortSignal,
): Promise<FilterExplanation> {
  const { filter, method } = command;
  const { lease, stored } = await parts.cache.acquireFresh(command.topic, signal);
  try {
    const isState = method === "list" || method === "watch";
    if (isState) requireState(stored);
    const read = isState
      ? stateRead(parts, command, lease.topic)
      : recordsRead(parts, filter, { topic: lease.topic, from: stored.head.earliestOffset });
    const plan = await parts.lanes.run("history", (store) => store.explain(read), signal);
    const place = isState ? stateParts(filter, command.rectangle) : recordParts(filter, method === "follow");
    return { parts: filter.conjuncts.map(place), indexes: indexesIn(plan), plan, cost: filter.cost };
  } finally {
    lease.release();
  }
}

/** The page query of a Read, and of a Follow that is catching up. */
function recordsRead(
  { limits, lanes }: Pick<ReadingParts, "limits" | "lanes">,
  filter: Filter,
  { topic, from }: { readonly topic: Topic; readonly from: number },
): ExplainedRead {
  const bytes = limits.pageBytesMax;
  const shared = { topicId: topic.topicId, direction: "forward", from, records: searchRecordsMax, bytes } as const;
  const search = searchFor(filter, topic, lanes);
  if (search === undefined) return { of: "page", request: shared };
  return {
    of: "page-search",
    request: {
      ...shared,
      rows: search.reach.rows,
      walkBytes: search.reach.bytes,
      needles: search.needles,
    },
  };
}

/** The page query of a List, and of the snapshot of a Watch. */
function stateRead(parts: ReadingParts, command: ExplainFilterCommand, topic: Topic): ExplainedRead {
  const bytes = parts.limits.pageBytesMax;
  const { prefix, rectangle, needles } = selectionOf(command);
  const { topicId } = topic;
  const order =
    command.method === "list"
      ? ({ by: "key", after: undefined } as const)
      : ({ by: "offset", from: 0, until: topic.tip.value.nextOffset } as const);
  const { rows } = createSearchReach(topic.meanFrameBytes, parts.lanes.searchBytes);
  const records = recordsWithin(bytes, topic);
  const unexpiredAt = parts.stampClock.now();
  const shared = { topicId, prefix, unexpiredAt, rectangle, needles, records, bytes };
  return { of: "state-search", request: { ...shared, order, rows } };
}

type PlacePart = (conjunct: Conjunct) => FilterPart;

/** For records: ranges bound what is read, keys and attributes are searched for in the frames. */
function recordParts(filter: Filter, isFollow: boolean): PlacePart {
  const looksFor = needlesOf(filter.needs);
  const reasons: Record<NeedKind, Omit<FilterPart, "expression">> = {
    key: searched(filter, looksFor.length > 0),
    attribute: searched(filter, looksFor.length > 0),
    offset: ranged("offsets", isFollow),
    time: ranged("times, found by a binary search since they never go backwards", isFollow),
    rectangle: { place: "node", reason: "a log has no index of places: ask a keyed topic by List or Watch" },
  };
  return partBy(reasons);
}

function ranged(what: string, isFollow: boolean): Omit<FilterPart, "expression"> {
  if (!isFollow) return { place: "database", reason: `a range of ${what}: nothing outside is read` };
  return { place: "database-then-node", reason: `a range of ${what}: where the follow begins; then the node decides` };
}

/** For states: keys and places are each a range of an index. */
function stateParts(filter: Filter, asked: Rectangle | undefined): PlacePart {
  const looksFor = needlesOf(filter.needs);
  const isPlaced = asked === undefined;
  const reasons: Record<NeedKind, Omit<FilterPart, "expression">> = {
    key: { place: "database-then-node", reason: "what the keys begin with is a range of the index" },
    attribute: searched(filter, looksFor.length > 0),
    offset: { place: "node", reason: "a state has few of its topic's offsets" },
    time: { place: "node", reason: "a state is not in the order of time" },
    rectangle: isPlaced
      ? { place: "database", reason: "compared by the page query; looked up by cells where they hold little" }
      : { place: "node", reason: "the page query takes the rectangle of the request" },
  };
  return partBy(reasons);
}

function searched({ needs }: Filter, isSearched: boolean): Omit<FilterPart, "expression"> {
  if (needs.keys !== undefined && needs.keys.length > 1 && !isSearched) {
    return { place: "node", reason: "one of several: the page query looks for one text at a time" };
  }
  return isSearched
    ? { place: "database-then-node", reason: "the page query passes over frames that do not hold the bytes" }
    : { place: "node", reason: "there are no bytes to look for" };
}

function partBy(reasons: Readonly<Record<NeedKind, Omit<FilterPart, "expression">>>): PlacePart {
  return ({ text, need }) =>
    need === undefined
      ? { expression: text, place: "node", reason: "evaluated on every record that the page query gives" }
      : { expression: text, ...reasons[need] };
}

/** The indexes that a plan names. */
function indexesIn(plan: string): readonly string[] {
  const names = [...plan.matchAll(/Index(?: Only)? Scan(?: Backward)? (?:using|on) (\w+)/g)].map(
    ([, name = ""]) => name,
  );
  return [...new Set(names)].filter((name) => !headIndexes.has(name));
}
