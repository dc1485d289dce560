/**
 * The naive service for a state: a table of latest records, row objects in pages by LIMIT and OFFSET, one record a
 * message.
 */

import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import { once } from "node:events";
import pg from "pg";
import type { Record } from "../../src/gen/millrace/v1/record.js";
import { readFeatures } from "../harness/features.js";
import { listen } from "../harness/listen.js";
import type { Subject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { naiveReplay } from "./naive-service.js";

interface Row {
  readonly key: string;
  readonly data: Buffer;
  readonly latitude: number;
  readonly longitude: number;
  readonly updated_at: Date;
}

const pageRecords = 1000;

export const naiveList = { ...naiveReplay, path: "/naive.StateService/List" };

export async function open(config: {
  readonly databaseUrl: string;
}): Promise<Subject<void, void, { readonly address: string }>> {
  const pool = new pg.Pool({ connectionString: config.databaseUrl });
  await pool.query(
    `create table naive_features (key text collate "C" primary key, data bytea not null, latitude float8 not null,
       longitude float8 not null, updated_at timestamptz not null default now())`,
  );
  const features = readFeatures();
  for (let start = 0; start < features.length; start += pageRecords) {
    const some = features.slice(start, start + pageRecords);
    await pool.query(
      `insert into naive_features (key, data, latitude, longitude)
       select * from unnest($1::text[], $2::bytea[], $3::float8[], $4::float8[])`,
      [
        some.map(({ key }) => key),
        some.map(({ data }) => data),
        some.map(({ location }) => location.latitude),
        some.map(({ location }) => location.longitude),
      ],
    );
  }
  await vacuum(config.databaseUrl);
  const server = new Server();
  server.addService(
    { list: naiveList },
    {
      list: (call: ServerWritableStream<object, Record>) => {
        const left = new AbortController();
        call.once("cancelled", () => left.abort());
        list(call, pool, left.signal).catch((error: Error) => call.emit("error", error));
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

async function list(call: ServerWritableStream<object, Record>, pool: pg.Pool, signal: AbortSignal): Promise<void> {
  for (let offset = 0; ; offset += pageRecords) {
    const { rows } = await pool.query<Row>("select * from naive_features order by key limit $1 offset $2", [
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

function recordOf({ key, data, latitude, longitude, updated_at: updated }: Row): Record {
  const milliseconds = updated.getTime();
  return {
    key,
    attributes: new Map(),
    body: { $case: "data", value: data },
    location: { latitude, longitude },
    eventTime: undefined,
    lifetime: undefined,
    time: { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1_000_000 },
    offset: undefined,
  };
}
