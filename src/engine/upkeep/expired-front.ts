import type { Head } from "../../store/index.js";
import { thinPage, unexpiredAt } from "../../wire/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

const pageBytes = 262_144;
const pageRecords = 2000;
/** How many pages one call passes over. The next call continues. */
const pagesMax = 50;

/** The first offset, from the earliest on, whose record has not expired, as far as one call looks. */
export async function expiredFront(
  lanes: DatabaseLanes,
  { topicId, earliestOffset, nextOffset }: Head,
  nowMicros: number,
  signal: AbortSignal,
): Promise<number> {
  let front = earliestOffset;
  // Most calls find that the first record has not expired; that costs one row.
  for (let page = 0, records = 1; page < pagesMax && front < nextOffset; page += 1, records = pageRecords) {
    const request = { topicId, direction: "forward", from: front, records, bytes: pageBytes } as const;
    const read = await lanes.run("history", (store) => store.readPage(request), signal);
    if (read?.page === undefined) return front;
    const expired = countExpired(read.page.frames, nowMicros);
    front += expired;
    if (expired < read.page.next - read.page.first) return front;
  }
  return front;
}

/** How many records at the beginning of a page have expired. */
function countExpired(frames: Uint8Array, nowMicros: number): number {
  const isUnexpired = unexpiredAt(nowMicros);
  let expired = 0;
  thinPage(
    frames,
    (page, start, end) => {
      if (isUnexpired(page, start, end)) return true;
      expired += 1;
      return false;
    },
    1,
  );
  return expired;
}
