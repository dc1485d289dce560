import { MillraceError } from "../../core/index.js";
import type { TopicCache, TopicLease, TopicWriter } from "../topics/topic-cache.js";

export interface WriteTarget {
  /** Topics to write to, by name. */
  readonly names: readonly string[];
  /** The address that the creation of a topic is counted for. Undefined: none. */
  readonly peer: string | undefined;
}

/**
 * Runs `work` on topics as this node knows them, created where publishing may. A topic of that name may be another one by
 * now. Where `work` is refused for that reason, all topics are looked up again, and `work` runs once more.
 */
export async function writeToTopics<Writer extends TopicWriter, Result>(
  cache: TopicCache<Writer>,
  { names, peer }: WriteTarget,
  work: (leases: readonly TopicLease<Writer>[]) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const known: TopicLease<Writer>[] = [];
  try {
    for (const name of names) known.push(await cache.acquireForPublish(name, peer, signal));
    return await work(known);
  } catch (error) {
    if (!known.some((lease) => isOutdated(error, lease))) throw error;
  } finally {
    for (const lease of known) lease.release();
  }
  const fresh: TopicLease<Writer>[] = [];
  try {
    for (const name of names) fresh.push(await acquireAgain(cache, name, peer, signal));
    return await work(fresh);
  } finally {
    for (const lease of fresh) lease.release();
  }
}

/** Whether the refusal follows from what this node knew of the topic. */
function isOutdated(error: unknown, { topic }: TopicLease): boolean {
  if (!(error instanceof MillraceError)) return false;
  return error.code === "topic-deleted" || (error.code === "epoch-mismatch" && !topic.isOver);
}

/** The topic that has the name now; created where publishing may, if it was deleted. */
async function acquireAgain<Writer extends TopicWriter>(
  cache: TopicCache<Writer>,
  name: string,
  peer: string | undefined,
  signal?: AbortSignal,
): Promise<TopicLease<Writer>> {
  try {
    return (await cache.acquireFresh(name, signal)).lease;
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === "topic-not-found")) throw error;
    return cache.acquireForPublish(name, peer, signal);
  }
}
