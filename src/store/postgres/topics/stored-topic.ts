import { expressionBuilder, type InferResult, type Nullable, sql } from "kysely";
import type { StateBuild } from "../../../core/index.js";
import type { Head, StoredTopic } from "../../topic-store.js";
import { type Tables, tables } from "../schema.js";
import { asList, microsOf } from "../selection.js";

/**
 * The last block of the head `h`. Index: the last entry of a topic in `blocks_pkey`. Without `front` the look-up would
 * walk over deleted entries, which a held snapshot keeps in the index (blocks.md, rule 6).
 */
const lastBlock = expressionBuilder<Tables & { h: Tables["topic_heads"] }, "h">()
  .selectFrom("blocks as b")
  .select(["b.next_offset", "b.end_bytes", "b.last_time"])
  .whereRef("b.topic_id", "=", "h.topic_id")
  .whereRef("b.first_offset", ">=", "h.front")
  .orderBy("b.first_offset", "desc")
  .limit(sql.lit(1));

/**
 * Heads as `h`, each with the end of its log. An append only inserts, so a topic ends where its last block ends, or
 * where it was trimmed to when no block is left. Index: `topic_heads_pkey`, and that of `lastBlock`.
 */
export const heads = sql`millrace.topic_heads as h left join lateral ${lastBlock} as last on true`;

/** The tables in `heads`. */
interface HeadTables extends Tables {
  h: Tables["topic_heads"];
  last: Nullable<Pick<Tables["blocks"], "next_offset" | "end_bytes" | "last_time">>;
}

const head = expressionBuilder<HeadTables, "h" | "last">();

/** The end of the log, from `heads`. */
export const logEnd = {
  offset: head.fn.coalesce("last.next_offset", "h.earliest_offset"),
  bytes: head.fn.coalesce("last.end_bytes", "h.earliest_bytes"),
  timeMicros: head.fn.coalesce("last.last_time", "h.last_time"),
};

/** A head's columns, from `heads`, with the names of `Head`. */
const headSelection = [
  head.ref("h.topic_id").as("topicId"),
  head.ref("h.epoch").as("epoch"),
  head.ref("h.version").as("version"),
  head.ref("h.earliest_offset").as("earliestOffset"),
  logEnd.offset.as("nextOffset"),
  head.ref("h.earliest_bytes").as("earliestBytes"),
  logEnd.bytes.as("nextBytes"),
  logEnd.timeMicros.as("lastTimeMicros"),
  head.ref("h.closed").as("closed"),
  head.ref("h.keyed").as("keyed"),
  head.ref("h.tombstones_from").as("tombstonesFrom"),
  head.ref("h.expiring").as("expiring"),
] as const;

/** `headSelection` as a list for `sql`. */
export const headColumns = asList(headSelection);

/**
 * The names of `headColumns`, and as many nulls: for queries whose first row is the head, and whose other rows are not.
 */
export const headNames = sql.join(headSelection.map(({ alias }) => sql.ref(alias as string)));
export const noHead = sql.join(headSelection.map(() => sql`null`));

/** Heads by the builder. Index: as `heads`. */
export function selectHeads() {
  return tables
    .selectFrom("topic_heads as h")
    .leftJoinLateral(lastBlock.as("last"), (join) => join.onTrue())
    .select(headSelection);
}

/** Topics `t` with their heads. Index: as `heads`, `state_builds_pkey`, and the one of `topics` that finds them. */
export function selectTopics() {
  return tables
    .selectFrom("topics as t")
    .innerJoin("topic_heads as h", "h.topic_id", "t.topic_id")
    .leftJoinLateral(lastBlock.as("last"), (join) => join.onTrue())
    .leftJoin("state_builds as build", "build.topic_id", "t.topic_id")
    .select([
      "t.name",
      "t.labels",
      "t.record_bytes as recordBytes",
      "t.batch_records as batchRecords",
      "t.batch_bytes as batchBytes",
      "t.retention_age_ms as retentionAgeMs",
      "t.retention_records as retentionRecords",
      "t.retention_bytes as retentionBytes",
      "build.from_offset as buildFrom",
      "build.next_offset as buildNext",
    ])
    .select((eb) => microsOf(eb.ref("t.created_at")).as("createTimeMicros"))
    .select(headSelection);
}

type TopicRow = InferResult<ReturnType<typeof selectTopics>>[number];

export function toStoredTopic(row: TopicRow): StoredTopic {
  const { name, labels, recordBytes, batchRecords, batchBytes, createTimeMicros, buildFrom, buildNext, ...rest } = row;
  const { retentionAgeMs, retentionRecords, retentionBytes, ...head } = rest;
  return {
    name,
    // JSON.parse makes even `__proto__` an own key, and Object.entries returns it.
    labels: new Map(Object.entries(labels)),
    limits: { recordBytes, batchRecords, batchBytes },
    retention: { ageMs: retentionAgeMs, records: retentionRecords, bytes: retentionBytes },
    createTimeMicros,
    head,
    stateBuild: buildFrom === null || buildNext === null ? undefined : toBuild(buildFrom, buildNext, head),
  };
}

/** A build ends at the earliest offset, which a trim may have raised above the position of the build. */
function toBuild(fromOffset: number, nextOffset: number, { earliestOffset }: Head): StateBuild {
  return { fromOffset, nextOffset, untilOffset: Math.min(earliestOffset, nextOffset) };
}

/** Labels as JSON; a Map may have the key `__proto__`. */
export function encodeLabels(labels: ReadonlyMap<string, string>): string {
  return JSON.stringify(Object.fromEntries(labels));
}
