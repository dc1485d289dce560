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

/** The tables as Kysely sees them. `migrations/` creates them; a test compares them with `test/store/schema.sql`. */
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

/** When a row was written; the database sets it. */
type WriteTime = ColumnType<Date, never, never>;
/** Written as JSON text, or left unchanged. */
type Labels = ColumnType<
  Readonly<Record<string, string>>,
  string | undefined,
  string | Readonly<Record<string, string>>
>;

/** A topic's name and settings: only control operations write them. */
export interface TopicsTable {
  topic_id: Generated<number>;
  name: string;
  labels: Labels;
  record_bytes: Generated<number>;
  batch_records: Generated<number>;
  batch_bytes: Generated<number>;
  /** 0, also in the next two: the node's default. */
  retention_age_ms: Generated<number>;
  retention_records: Generated<number>;
  retention_bytes: Generated<number>;
  auto_created: Generated<boolean>;
  created_at: WriteTime;
}

/** A topic's control data. Every append reads and locks it; none updates it. */
export interface TopicHeadsTable {
  topic_id: number;
  epoch: number;
  version: Generated<number>;
  earliest_offset: Generated<number>;
  /** Frame bytes of all records below `earliest_offset`. */
  earliest_bytes: Generated<number>;
  /** No block begins below it. Not above `earliest_offset`. */
  front: Generated<number>;
  /** Blocks below it are merged, or may be: no append may expect a lower offset. */
  merged_to: Generated<number>;
  /** The time of the newest trimmed record, microseconds since 1970. */
  last_time: Generated<number>;
  closed: Generated<boolean>;
  /** Whether commits keep the topic's state in `latest`. */
  keyed: Generated<boolean>;
  /** All tombstones of the state at or above this offset are still there. */
  tombstones_from: Generated<number>;
  /** Whether any of its records was given a lifetime. */
  expiring: Generated<boolean>;
}

/** The log: each row is a run of consecutive frames. */
export interface BlocksTable {
  topic_id: number;
  first_offset: number;
  next_offset: number;
  /** The topic's running total of frame bytes, including the block's last record. */
  end_bytes: number;
  /** The time of its last record, microseconds since 1970. */
  last_time: number;
  frames: Buffer;
  /**
   * How its commit changed producers, in the commit's first block. Below the head's `merged_to`, `producers` has it.
   */
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
  /** The key was removed; the row is kept so that watchers see the removal. */
  is_tombstone: boolean;
  frame: Buffer;
  /** In degrees. Null, also in the next two: the record has no location. */
  latitude: number | null;
  longitude: number | null;
  /** See `cells.ts`. */
  cell: number | null;
  /** Of a tombstone: when it was made, microseconds since 1970. */
  removed_time: number | null;
  /** The end of a record's lifetime, microseconds since 1970. */
  expire_time: number | null;
}

/** Topics that were turned keyed and whose state is not complete: it has the records from `next_offset` on. */
export interface StateBuildsTable {
  topic_id: number;
  /** The topic's next offset when it was turned keyed. */
  from_offset: number;
  next_offset: number;
}

/** Unreachable blocks to delete: they begin at or above `from_offset` and end at or below `to_offset`. */
export interface RemovalsTable {
  topic_id: number;
  from_offset: number;
  to_offset: number;
  /** The topic was deleted: its producers are deleted too. */
  whole_topic: Generated<boolean>;
}

/** A subscription's name and settings. `subscription_id` leads the keys of all its rows in other tables. */
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
  /** Raised by every new consumer of an EXCLUSIVE subscription. */
  ticket: Generated<number>;
  /** Raised by every seek above all earlier attempts. */
  attempts_before: Generated<number>;
  created_at: WriteTime;
}

/** What a subscription has yet to settle, without what stands in `settlements`. */
export interface ClaimsTable {
  subscription_id: number;
  claim_id: Generated<number>;
  kind: "rest" | "block" | "slot" | "redriven";
  /** The slot of a KEYED subscription's claim; else 0. */
  slot: Generated<number>;
  /** An int8multirange, as text: `offset-ranges.ts`. */
  todo: string;
  /** Null, or not in `sessions`: the claim is free. */
  session: number | null;
  /** The last settlement that was removed from `todo`. */
  folded_to: Generated<number>;
}

/** Offsets of a claim that were settled but are still in its `todo`: see `settlements.ts`. */
export interface SettlementsTable {
  subscription_id: number;
  claim_id: number;
  settlement_id: Generated<number>;
  /** An int8multirange, as text. */
  settled: string;
}

/** The leases of nodes. */
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

/** Records of a claim that wait for redelivery with the same attempts and time. */
export interface RetriesTable {
  subscription_id: number;
  claim_id: number;
  /** The bucket of all its offsets: `retry-buckets.ts`. */
  bucket: number;
  retry_id: Generated<number>;
  /** An int8multirange, as text: `offset-ranges.ts`. */
  offsets: string;
  deliveries: number;
  failures: number;
  /** Microseconds since 1970. */
  retry_time: number;
  /** By offset, for records with a key. Null: none has a key. May have more entries than `offsets`. */
  lanes: Readonly<Record<string, number>> | null;
  /** The newest reasons, oldest first. */
  reasons: Generated<string[]>;
  /** The frame of a single record that was parked before. Null: the topic has it. */
  frame: Buffer | null;
}

/** Parked records. */
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

/** Only compiles: statements run through the pool, hot ones prepared by name, which Kysely's driver cannot do. */
const kysely = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Builds and compiles statements. All tables are in the schema `millrace`, which qualifies their names. */
export const tables = kysely.withSchema("millrace");
