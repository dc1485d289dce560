/**
 * Writes to many topics in one commit. Services that give each user, order or device its own topic write one small
 * batch to each; a commit for each topic would make up most of their cost.
 *
 * No topic delays another or causes its refusal. Only small writes share a commit, and only to topics that this node
 * wrote last. A write that was left out is appended alone.
 */

import type { Limits } from "../../core/index.js";
import { type AppendOutcome, type AppendWrite, StoreUnavailableError } from "../../store/index.js";
import { type DatabaseLanes, laneFull } from "../database-lanes.js";
import { gather } from "../topics/gather.js";

/** Bounds of one shared commit: bytes of frames, and topics. */
const sharedBytes = 1_048_576;
const sharedTopics = 256;
/** A larger write gets its own commit. */
const smallBytes = 65_536;

export interface SharedCommits {
  /** As the store's `append`. `isOwn`: this node wrote the topic last. */
  append(write: AppendWrite, isOwn: boolean): Promise<AppendOutcome>;
  /** Writes that wait for a commit. */
  readonly waiting: number;
}

/** `commits`: how many may run before writes share one. */
export function createSharedCommits(
  lanes: DatabaseLanes,
  { laneQueue }: Pick<Limits, "laneQueue">,
  commits: number,
): SharedCommits {
  const alone = (write: AppendWrite): Promise<AppendOutcome> => lanes.attempt("append", (store) => store.append(write));

  async function commit(writes: readonly AppendWrite[]): Promise<readonly (AppendOutcome | Promise<AppendOutcome>)[]> {
    if (writes.length === 1) return writes.map(alone);
    let appended: ReadonlySet<number>;
    try {
      appended = await lanes.attempt("append", (store) => store.appendTogether(writes));
    } catch (error) {
      // A write that may have been committed must not be sent again. Otherwise each is appended alone, which shows
      // whose fault it was.
      if (error instanceof StoreUnavailableError && error.outcomeUnknown) throw error;
      appended = new Set();
    }
    return writes.map((write) => (appended.has(write.topicId) ? "appended" : alone(write)));
  }

  const gathered = gather<AppendWrite, AppendOutcome>({
    calls: commits,
    capacity: laneQueue,
    full: () => laneFull("append", laneQueue),
    fitting: fittingWrites,
    call: commit,
  });
  return {
    get waiting() {
      return gathered.waiting;
    },
    append: (write, isOwn) =>
      !isOwn || write.expires || write.frames.length > smallBytes ? alone(write) : gathered.ask(write),
  };
}

/** How many of the writes that wait go into one commit: at least one. */
export function fittingWrites(writes: readonly Pick<AppendWrite, "frames">[]): number {
  let bytes = 0;
  let count = 0;
  for (const { frames } of writes) {
    bytes += frames.length;
    if (count > 0 && (bytes > sharedBytes || count >= sharedTopics)) break;
    count += 1;
  }
  return count;
}
