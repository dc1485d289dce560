/**
 * The service that one writes first: row objects from `pg`, in pages by LIMIT and OFFSET, and one gRPC message for each
 * record. Otherwise it is correct: it waits for a slow client, and uses generated code.
 */

import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import { once } from "node:events";
import pg from "pg";
import { Record } from "../../src/gen/millrace/v1/record.js";
import { listen } from "../harness/listen.js";
import { vacuum } from "../harness/vacuum.js";
import type { Subject } from "../harness/subject.js";

export interface NaiveServiceConfig {
  readonly databaseUrl: string;
  readonly records: number;
  readonly bodyBytes: number;
}

interface Row {
  readonly id: string;
  readonly data: Buffer;
  readonly created_at: Date;
}

const pageRecords = 1000;

export const naiveReplay = {
  path: "/naive.RecordService/Replay",
  requestStream: false as const,
  responseStream: true as const,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: () => ({}),
  responseSerialize: (record: Record) => Buffer.from(Record.encode(record).finish()),
  responseDeserialize: (bytes: Buffer) => Record.decode(bytes),
};

export async function open(config: NaiveServiceConfig): Promise<Subject<void, void, { readonly address: string }>> {
  const pool = new pg.Pool({ connectionString: config.databaseUrl });
  await pool.query(
    "create table naive_records (id bigint primary key, data bytea not null, created_at timestamptz not null default now())",
  );
  await pool.query(
    `insert into naive_records (id, data)
     select id, substring(sha512(int8send(id)) || sha512(int8send(-id)) || sha512('more') from 1 for ${config.bodyBytes})
     from generate_series(0, ${config.records - 1}) as id`,
  );
  await vacuum(config.databaseUrl);
  const server = new Server();
  server.addService(
    { replay: naiveReplay },
    {
      replay: (call: ServerWritableStream<object, Record>) => {
        const left = new AbortController();
        call.once("cancelled", () => left.abort());
        replay(call, pool, left.signal).catch((error: Error) => call.emit("error", error));
      },
    },
  );
  const address = await listen(server);
  return {
    info: { address },
    round: async () => undefined,
    async close() {
      server.forceShutdown();
      await pool.end();
    },
  };
}

async function replay(call: ServerWritableStream<object, Record>, pool: pg.Pool, signal: AbortSignal): Promise<void> {
  for (let offset = 0; ; offset += pageRecords) {
    const { rows } = await pool.query<Row>("select * from naive_records order by id limit $1 offset $2", [
      pageRecords,
      offset,
    ]);
    for (const row of rows) {
      if (!call.write(recordOf(row))) await once(call, "drain", { signal });
    }
    if (rows.length < pageRecords) break;
  }
  call.end();
}

function recordOf(row: Row): Record {
  const milliseconds = row.created_at.getTime();
  return {
    key: "",
    attributes: new Map(),
    body: { $case: "data", value: row.data },
    location: undefined,
    eventTime: undefined,
    lifetime: undefined,
    time: { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1_000_000 },
    offset: Number(row.id),
  };
}
