import { type RawBuilder, sql } from "kysely";
import { type Page, pageSpareBytes } from "../../../core/index.js";
import type { Head, PageRead, PageRequest } from "../../topic-store.js";
import { decodeCopyRow } from "../database/copy-row.js";
import type { Database } from "../database/database.js";
import { inlineValues, prepareStatement, requireWholeNumber } from "../statement.js";
import { copiedHeadFields, copiedInteger, decodeCopiedHead } from "./copied-head.js";
import { explainPlan } from "./explain-plan.js";
import { headColumns } from "./stored-topic.js";

interface PageRow extends Head {
  readonly records: number;
  /** Null, as `frames`: there is no record at `from`. */
  readonly endBytes: number | null;
  readonly frames: string | null;
}

const values = {
  topicId: "bigint",
  from: "bigint",
  records: "bigint",
  bytes: "bigint",
  fromBytes: "bigint or null",
} as const;

interface Shape {
  /** Around the page's bytes: as they are for COPY, or as text. */
  readonly frames: (aggregate: RawBuilder<unknown>) => RawBuilder<unknown>;
  /** Around the whole. */
  readonly wrap: (select: RawBuilder<PageRow>) => RawBuilder<PageRow>;
}

/** Measured at 2000 records a page, thousand records/s: 2381 by COPY, 898 by base64, 767 by hex, 250 as row objects. */
const copied: Shape = { frames: (frames) => frames, wrap: (select) => sql`copy (${select}) to stdout (format binary)` };
/** PGlite decodes base64 ten times as fast as hex. `encode` breaks lines; without them it is a sixth faster. */
const encoded: Shape = {
  frames: (frames) => sql`translate(encode(${frames}, 'base64'), E'\\n', '')`,
  wrap: (select) => select,
};

/**
 * One page and the head beside it, as one row.
 *
 * Locks: none. Head and page come from one snapshot, so a trim, a close or a delete is either seen by both or by
 * neither (invariant 5).
 * Order: the page walks `records_pkey` over a closed range of offsets, never OFFSET, never LIMIT over an open range;
 * `string_agg` takes rows in the order of its subquery.
 * Holes: offsets have none, so count and `from` give the page's offsets, and no aggregate over them is taken: two more
 * cost a quarter of the statement. Whoever reads the page holds its last stamp against that.
 * Bounds: so many offsets, and so many bytes, reckoned with the running total that stands beside each frame; the record
 * at `from` is always in. The running total at `from` comes with the cursor, or is looked up once.
 * A range below `earliest_offset` gives nothing, also while its rows are still there.
 */
function forwardPage(shape: Shape) {
  return prepareStatement({
    name: "read_page_forward",
    values,
    build: (value) =>
      shape.wrap(sql<PageRow>`
select ${headColumns}, page.records, page."endBytes", page.frames
from millrace.topic_heads as h left join lateral (
  select count(*) as records, max(end_bytes) as "endBytes",
    ${shape.frames(sql`string_agg(frame, '')`)} as frames
  from (
    select "offset", end_bytes, frame from millrace.records
    where topic_id = h.topic_id and h.earliest_offset <= ${value.from}
      and "offset" >= ${value.from} and "offset" < ${value.from} + ${value.records}
      and ("offset" = ${value.from} or end_bytes <= ${value.bytes} + coalesce(${value.fromBytes}, (
        select start.end_bytes - octet_length(start.frame) from millrace.records as start
        where start.topic_id = ${value.topicId} and start."offset" = ${value.from})))
    order by "offset"
  ) as run
) as page on true
where h.topic_id = ${value.topicId}`),
  });
}

/** The same, downwards from the record below `from`: frames stand in descending order. */
function backwardPage(shape: Shape) {
  return prepareStatement({
    name: "read_page_backward",
    values,
    build: (value) =>
      shape.wrap(sql<PageRow>`
select ${headColumns}, page.records, page."endBytes", page.frames
from millrace.topic_heads as h left join lateral (
  select count(*) as records, max(end_bytes) as "endBytes",
    ${shape.frames(sql`string_agg(frame, '')`)} as frames
  from (
    select "offset", end_bytes, frame from millrace.records
    where topic_id = h.topic_id and "offset" >= h.earliest_offset
      and "offset" >= ${value.from} - ${value.records} and "offset" < ${value.from}
      and ("offset" = ${value.from} - 1 or end_bytes - octet_length(frame) >= coalesce(${value.fromBytes}, (
        select start.end_bytes from millrace.records as start
        where start.topic_id = ${value.topicId} and start."offset" = ${value.from} - 1)) - ${value.bytes})
    order by "offset" desc
  ) as run
) as page on true
where h.topic_id = ${value.topicId}`),
  });
}

const statements = {
  postgres: { forward: forwardPage(copied), backward: backwardPage(copied) },
  embedded: { forward: forwardPage(encoded), backward: backwardPage(encoded) },
};

export async function readPage(database: Database, request: PageRequest): Promise<PageRead | undefined> {
  const statement = statements[database.kind][request.direction];
  const pageValues = valuesOf(request);
  switch (database.kind) {
    case "postgres": {
      const fields = decodeCopyRow(await database.copy(inlineValues(statement, pageValues)));
      return fields && toPageRead(decodeFields(fields), fields[copiedHeadFields + 2] ?? null, request);
    }
    case "embedded": {
      const [row] = await database.run(statement, pageValues);
      if (row === undefined) return undefined;
      const { records, endBytes, frames, ...head } = row;
      return toPageRead({ head, records, endBytes }, frames === null ? null : decodeWithSpare(frames), request);
    }
    default:
      return database.kind satisfies never;
  }
}

/** The plan of such a read, as EXPLAIN tells it. */
export function explainPage(database: Database, request: PageRequest): Promise<string> {
  // COPY cannot be explained; the query in it is the same.
  return explainPlan(database, statements.embedded[request.direction], valuesOf(request));
}

function valuesOf(request: PageRequest) {
  return {
    topicId: requireWholeNumber(request.topicId, "topicId"),
    from: requireWholeNumber(request.from, "from"),
    records: requireWholeNumber(countWithin(request), "records"),
    bytes: requireWholeNumber(request.bytes, "bytes"),
    fromBytes: request.fromBytes ?? null,
  };
}

/** `until` is a bound on the count: offsets have no gaps. */
function countWithin(request: PageRequest): number {
  if (request.until === undefined) return request.records;
  const reach = request.direction === "forward" ? request.until - request.from : request.from - request.until;
  return Math.max(0, Math.min(request.records, reach));
}

/** What the statement gave besides the frames. */
interface PageFacts {
  readonly head: Head;
  readonly records: number;
  readonly endBytes: number | null;
}

/** The columns in their order: those of the head, then the page's. */
function decodeFields(fields: readonly (Buffer | null)[]): PageFacts {
  return {
    head: decodeCopiedHead(fields),
    records: copiedInteger(fields, copiedHeadFields) ?? 0,
    endBytes: copiedInteger(fields, copiedHeadFields + 1),
  };
}

function toPageRead({ head, records, endBytes }: PageFacts, frames: Buffer | null, request: PageRequest): PageRead {
  const { from, direction } = request;
  if (endBytes === null || frames === null) return { head, page: undefined };
  // Downwards from above the end: what was found is not what stands below `from`.
  if (from > head.nextOffset) return { head, page: undefined };
  const [first, next] = direction === "forward" ? [from, from + records] : [from - records, from];
  const spareBytes = frames.buffer.byteLength - frames.byteOffset - frames.length;
  const page: Page = { first, next, endBytes, frames, spareBytes: Math.min(spareBytes, pageSpareBytes) };
  return { head, page };
}

/** Decoded into a buffer with room behind it. */
export function decodeWithSpare(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Math.ceil((text.length * 3) / 4) + pageSpareBytes);
  return bytes.subarray(0, bytes.write(text, "base64"));
}
