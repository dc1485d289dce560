import {
  type ColumnType,
  DummyDriver,
  type Generated,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import type { Sharing } from "../../core/index.js";

/** The tables as Kysely sees them; `migrations/` makes them, and a test holds them against `test/store/schema.sql`. */
export interface Tables {
  topics: TopicsTable;
  topic_heads: TopicHeadsTable;
  blocks: BlocksTable;
  producers: ProducersTable;
  latest: LatestTable;
  removals: RemovalsTable;
  state_builds: StateBuildsTable;
  subscriptions: SubscriptionsTable;
  claims: ClaimsTable;
  settlements: SettlementsTable;
  sessions: SessionsTable;
  members: MembersTable;
  retries: RetriesTable;
  parked: ParkedTable;
}

/** When a row was written: the database says it. */
type WriteTime = ColumnType<Date, never, never>;
/** Written as text of JSON, or kept as it is. */
type Labels = ColumnType<
  Readonly<Record<string, string>>,
  string | undefined,
  string | Readonly<Record<string, string>>
>;

/** A topic's name and settings: written by control alone. */
export interface TopicsTable {
  topic_id: Generated<number>;
  name: string;
  labels: Labels;
  record_bytes: Generated<number>;
  batch_records: Generated<number>;
  batch_bytes: Generated<number>;
  /** 0, as those below: the node's default. */
  retention_age_ms: Generated<number>;
  retention_records: Generated<number>;
  retention_bytes: Generated<number>;
  auto_created: Generated<boolean>;
  created_at: WriteTime;
}

/** What controls a topic: read and locked by every append, changed by none. */
export interface TopicHeadsTable {
  topic_id: number;
  epoch: number;
  version: Generated<number>;
  earliest_offset: Generated<number>;
  /** Frame bytes of all records below `earliest_offset`. */
  earliest_bytes: Generated<number>;
  /** No block begins below it: at most `earliest_offset`. */
  front: Generated<number>;
  /** Blocks below it were merged, or are about to be: no append is decided on an offset below it. */
  merged_to: Generated<number>;
  /** Of the newest record that was trimmed, microseconds since 1970. */
  last_time: Generated<number>;
  closed: Generated<boolean>;
  /** Whether commits keep the topic's state in `latest`. */
  keyed: Generated<boolean>;
  /** Tombstones of the state at or above this offset are all still there. */
  tombstones_from: Generated<number>;
  /** Whether any of its records was given a lifetime. */
  expiring: Generated<boolean>;
}

/** The log: each row a run of consecutive frames. */
export interface BlocksTable {
  topic_id: number;
  first_offset: number;
  next_offset: number;
  /** The topic's running total of frame bytes, up to and with its last record. */
  end_bytes: number;
  /** Of its last record, microseconds since 1970. */
  last_time: number;
  frames: Buffer;
  /** What its commit did to producers, in the first block of it; told by their rows from `merged_to` of the head on. */
  producers: readonly object[] | null;
}

export interface ProducersTable {
  topic_id: number;
  producer_id: string;
  generation: number;
  next_sequence: number;
  /** First and next offset of the newest batches, in pairs, oldest first. */
  recent: number[];
  updated_at: WriteTime;
}

/** The state of keyed topics: the latest record of each key. */
export interface LatestTable {
  topic_id: number;
  key: string;
  offset: number;
  /** The key was removed; kept, so that watchers hear of it. */
  is_tombstone: boolean;
  frame: Buffer;
  /** Degrees; null, as those below: the record has no location. */
  latitude: number | null;
  longitude: number | null;
  /** See `cells.ts`. */
  cell: number | null;
  /** Of a tombstone: when it was made, microseconds since 1970. */
  removed_time: number | null;
  /** Of a record with a lifetime: when that is over, microseconds since 1970. */
  expire_time: number | null;
}

/** Topics that were turned keyed, and whose state is not whole yet: it has their records from `next_offset` on. */
export interface StateBuildsTable {
  topic_id: number;
  /** The topic's next offset when it was turned keyed. */
  from_offset: number;
  next_offset: number;
}

/** Blocks out of reach that wait to be deleted: those that begin at `from_offset` or above, and end at `to_offset` or below. */
export interface RemovalsTable {
  topic_id: number;
  from_offset: number;
  to_offset: number;
  /** The topic is gone: its producers go too. */
  whole_topic: Generated<boolean>;
}

/** A subscription's name and settings. `subscription_id` leads the keys of all that belongs to it. */
export interface SubscriptionsTable {
  subscription_id: Generated<number>;
  name: string;
  topic_id: number;
  epoch: number;
  sharing: ColumnType<Sharing, string, never>;
  ack_deadline_ms: number;
  attempts_max: number;
  retry_min_ms: number;
  retry_max_ms: number;
  retry_backlog: number;
  labels: Labels;
  paused: Generated<boolean>;
  /** Raised by every seek. */
  generation: Generated<number>;
  /** Raised by every newer consumer of an EXCLUSIVE one. */
  ticket: Generated<number>;
  /** Raised by every seek above all attempts of before it. */
  attempts_before: Generated<number>;
  created_at: WriteTime;
}

/** What a subscription has yet to settle; less what stands in `settlements`. */
export interface ClaimsTable {
  subscription_id: number;
  claim_id: Generated<number>;
  kind: "rest" | "block" | "slot" | "redriven";
  /** Of a KEYED subscription's keys; else 0. */
  slot: Generated<number>;
  /** An int8multirange, as text: `offset-ranges.ts`. */
  todo: string;
  /** Null, or not in `sessions` any more: it is free. */
  session: number | null;
  /** The last settlement that `todo` is without. */
  folded_to: Generated<number>;
}

/** What was settled of a claim and is not in its `todo` yet: see `settlements.ts`. */
export interface SettlementsTable {
  subscription_id: number;
  claim_id: number;
  settlement_id: Generated<number>;
  /** An int8multirange, as text. */
  settled: string;
}

/** Nodes' holds. */
export interface SessionsTable {
  session: number;
  node: string;
  expires_at: Date;
}

/** Which sessions consume a subscription. */
export interface MembersTable {
  subscription_id: number;
  session: number;
  consumers: number;
  facts: string;
}

/** Records of a claim that are to be redelivered, and wait alike. */
export interface RetriesTable {
  subscription_id: number;
  claim_id: number;
  /** All of its offsets are in this one: `retry-buckets.ts`. */
  bucket: number;
  retry_id: Generated<number>;
  /** An int8multirange, as text: `offset-ranges.ts`. */
  offsets: string;
  deliveries: number;
  failures: number;
  /** Microseconds since 1970. */
  retry_time: number;
  /** By offset, of those that have a key; null: none has. It may have more than `offsets`. */
  lanes: Readonly<Record<string, number>> | null;
  /** The newest, oldest first. */
  reasons: Generated<string[]>;
  /** Of a single record that was parked before; null: the topic has it. */
  frame: Buffer | null;
}

/** Records that were set aside. */
export interface ParkedTable {
  subscription_id: number;
  offset: number;
  /** Microseconds since 1970. */
  parked_time: number;
  deliveries: number;
  slot: number;
  lane: number | null;
  reasons: string[];
  frame: Buffer;
}

/** Compiles and never runs: statements run through the pool, hot ones under a name, which Kysely's driver cannot. */
const kysely = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Builds and compiles statements; all tables are in the schema `millrace`, and named with it. */
export const tables = kysely.withSchema("millrace");
