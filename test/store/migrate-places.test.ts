import { expect, test } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import { cellOf } from "../../src/store/postgres/state/cells.js";
import { openPostgres } from "../../src/store/postgres/database/open-postgres.js";
import { migrate } from "../../src/store/postgres/migrations/migrate.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { stampBatches, splitRequest } from "../../src/wire/index.js";
import { createTestDatabase, runOn } from "../support/database.js";

const places = [
  { latitude: 46.948_123_456_789, longitude: 7.447_44 },
  { latitude: -33.45, longitude: -70.666_67 },
  { latitude: 0, longitude: 0 },
  { latitude: -90, longitude: 180 },
  { latitude: 1e-9, longitude: -1e-9 },
  undefined,
];

test("migration 3, gives existing records of a state their places, to the last bit", async () => {
  const database = await createTestDatabase("postgres", "empty");
  const { url } = database.connection as { url: string };
  const opened = openPostgres({
    url,
    connections: 1,
    poolWaitMs: 10_000,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 10_000,
    idleInTransactionMs: 10_000,
    logger: silentLogger,
    metrics: undefined,
  });
  try {
    await migrate(opened, { list: migrations.slice(0, 2) });
    const records = places.map((location, index) => ({
      key: `key ${index}`.repeat(20),
      attributes: new Map([["name", "Zürich"]]),
      body: { $case: "json" as const, value: { seven: 7 } },
      location,
      eventTime: { seconds: -5, nanos: 7 },
      lifetime: undefined,
      time: undefined,
      offset: undefined,
    }));
    const request = { topic: "t", records, expectedOffset: undefined, producer: undefined, epoch: 0 };
    const { batch } = splitRequest(AppendRequest.encode(request).finish(), defaultLimits);
    const frames = stampBatches([batch], 0, 1_700_000_000_000_000);
    let start = 0;
    for (const [index, { key }] of records.entries()) {
      const end = frames.ends[index] as number;
      const frame = frames.bytes.subarray(start, end).toString("hex");
      await runOn(url, `insert into millrace.latest values (1, '${key}', ${index}, false, '\\x${frame}')`);
      start = end;
    }
    await migrate(opened);
    const { rows } = await runOn(url, `select latitude, longitude, cell::text from millrace.latest order by "offset"`);
    expect(rows).toEqual(
      places.map((place) => ({
        latitude: place === undefined ? null : place.latitude,
        longitude: place === undefined ? null : place.longitude,
        cell: place === undefined ? null : String(cellOf(place)),
      })),
    );
  } finally {
    await opened.close();
    await database.drop();
  }
});
