/**
 * Commit: acknowledges records of one subscription and appends to topics, in one transaction: so a client that reads,
 * processes and writes does all of it or nothing. It appends past the appenders of the topics, under the locks of their
 * heads: then an appender, on any node, finds its view outdated once, and decides again. It adds nothing to the tails, or
 * they could get a hole: followers read what was committed from the database.
 */

import {
  checkTopicName,
  deliveryBounds,
  invalidArgument,
  type Limits,
  MillraceError,
  RangeSet,
  staleDelivery,
} from "../../../core/index.js";
import {
  type AppendWrite,
  type CommitTopic,
  type Head,
  type LockedView,
  StoreUnavailableError,
} from "../../../store/index.js";
import type { Logger } from "../../../telemetry/index.js";
import { checkBatch } from "../../../wire/index.js";
import { writeToTopics } from "../../writing/write-to-topics.js";
import { type AppendAftermath, observeAppend, prepareAppend } from "../../writing/append-write.js";
import { planCommit } from "../../writing/commit-plan.js";
import { asUnavailable, type DatabaseLanes } from "../../database-lanes.js";
import { rereadHead } from "../../topics/reread-head.js";
import type { StampClock } from "../../topics/stamp-clock.js";
import type { CommitCommand, CommittedOutput } from "./commit-command.js";
import { checkEpoch, overError, type Topic } from "../../topics/topic.js";
import type { TopicCache } from "../../topics/topic-cache.js";
import { announceSettled, settledRanges } from "./announce-settled.js";
import { acknowledgedRecords, type AcknowledgedRecord } from "./acknowledged-records.js";
import { findSubscription } from "../find-subscription.js";
import type { ConsumerGroups } from "../groups.js";

export interface CommitParts extends AppendAftermath {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly stampClock: Pick<StampClock, "now">;
  readonly logger: Logger;
  readonly groups: Pick<ConsumerGroups, "settledByCommit" | "outstandingSlots">;
}

type Output = CommitCommand["append"][number];

/** The records that are acknowledged, after they were checked. */
interface Target {
  readonly subscriptionId: number;
  readonly records: readonly AcknowledgedRecord[];
}

/** A Commit with the topics that its outputs go to, in their order. */
interface Order {
  readonly command: CommitCommand;
  readonly target: Target;
  readonly topics: readonly Topic[];
}

interface Undecided {
  readonly topic: Topic;
  readonly output: Output;
  /** Where the topic ended when the Commit began, as far as this node knew. */
  readonly nextBefore: number;
}

/** An output as it was decided under its head's lock. */
interface Decided {
  readonly before: Head;
  readonly write: AppendWrite;
}

const whenUnknown = "Do not repeat the work: what was committed is not delivered again, and what was not, is";

/** Always empty: an output of a Commit belongs to no publish call. */
const noCalls = new WeakSet<object>();

/**
 * Gives where the records of the outputs are, in the order of the outputs. Errors: `invalid-argument`,
 * `subscription-not-found`, `stale-delivery`, `topic-not-found`, `topic-closed`, `epoch-mismatch`, `offset-mismatch`,
 * `data-loss`, `database-unavailable`. After an error nothing is committed, except that the outcome of
 * `database-unavailable` may be unknown.
 */
export async function commitDelivered(
  parts: CommitParts,
  command: CommitCommand,
  signal?: AbortSignal,
): Promise<readonly CommittedOutput[]> {
  checkOutputs(command.append);
  const target = await targetOf(parts, command, signal);
  const names = command.append.map(({ topic }) => topic);
  return writeToTopics(
    parts.cache,
    { names, peer: command.peer },
    (leases) => commitTo(parts, { command, target, topics: leases.map(({ topic }) => topic) }, signal),
    signal,
  );
}

function checkOutputs(outputs: readonly Output[]): void {
  const { commitTopics } = deliveryBounds;
  if (outputs.length > commitTopics) {
    throw invalidArgument("append", `at most ${commitTopics} topics are allowed in a Commit, got ${outputs.length}`);
  }
  const names = new Set<string>();
  outputs.forEach(({ topic }, index) => {
    const field = `append[${index}].topic`;
    if (names.has(checkTopicName(topic, field))) {
      throw invalidArgument(field, `a topic may be named once, and "${topic}" was before`);
    }
    names.add(topic);
  });
}

async function targetOf(parts: CommitParts, command: CommitCommand, signal?: AbortSignal): Promise<Target> {
  const subscription = await findSubscription(parts.lanes, command.subscription, signal);
  const { acknowledge, session } = command;
  const records = await acknowledgedRecords(parts, { subscription, acknowledge, session }, signal);
  return { subscriptionId: subscription.subscriptionId, records };
}

async function commitTo(parts: CommitParts, order: Order, signal?: AbortSignal): Promise<readonly CommittedOutput[]> {
  const { command, topics } = order;
  command.append.forEach((output, index) => {
    const topic = topics[index] as Topic;
    if (topic.isOver) throw overError(topic);
    checkEpoch(output.epoch, topic, `append[${index}].epoch`);
    checkOutput(output, topic, index);
  });
  const decided = await write(parts, order, signal);
  return decided.map(({ before, write: { frameEnds } }, index) => ({
    topic: (topics[index] as Topic).name,
    epoch: before.epoch,
    firstOffset: before.nextOffset,
    nextOffset: before.nextOffset + frameEnds.length,
  }));
}

/** Checks an output as a published batch, and names the field by its place in the Commit. */
function checkOutput({ batch }: Output, topic: Topic, index: number): void {
  try {
    checkBatch(batch, topic.limits);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const [violation] = error.violations;
    throw violation === undefined
      ? error
      : invalidArgument(`append[${index}].${violation.field}`, violation.description);
  }
}

/** Runs the transaction, and does what follows from it. Gives what was written to each topic. */
async function write(
  parts: CommitParts,
  { command, topics, target: { subscriptionId, records } }: Order,
  signal?: AbortSignal,
): Promise<readonly Decided[]> {
  const { session } = command;
  const decided: Decided[] = [];
  const plans = topics.map((topic, index): CommitTopic => {
    const nextBefore = topic.tip.value.nextOffset;
    const output = command.append[index] as Output;
    return {
      topicId: topic.topicId,
      decide(locked) {
        const found = decide(parts, { topic, output, nextBefore }, locked);
        decided[index] = found;
        return found.write;
      },
    };
  });
  let room: readonly Promise<void>[] = [];
  let told: Promise<void> | undefined;
  try {
    const outcome = await parts.lanes.attempt(
      "append",
      async (store) => {
        const answer = await store.commit({ subscriptionId, session, records, topics: plans });
        // Done here, since the caller may have left by now.
        if (answer.kind !== "committed") return answer;
        room = decided.flatMap((output, index) => observeAppend(topics[index] as Topic, output, parts) ?? []);
        const settled = settledRanges(records);
        if (!parts.groups.settledByCommit(subscriptionId, session, settled)) {
          told = announceSettled(parts, { subscriptionId, session, records: settled });
        }
        return answer;
      },
      signal,
    );
    switch (outcome.kind) {
      case "committed":
        break;
      case "stale":
        throw staleDelivery(command.subscription, rangesOf(outcome.offsets));
      case "topic-gone": {
        const gone = topics.find(({ topicId }) => topicId === outcome.topicId);
        if (gone === undefined) throw new MillraceError("internal", "A Commit lost a topic that it does not append to");
        gone.markDeleted();
        throw overError(gone);
      }
      default:
        outcome satisfies never;
    }
  } catch (error) {
    if (error instanceof StoreUnavailableError && error.outcomeUnknown) {
      for (const topic of topics) rereadHead(topic, parts.lanes);
    }
    throw asUnavailable(error, whenUnknown);
  }
  // First the node that delivered the records has to know of it, so that it hands out the next records of their keys. And
  // where publishers outrun a topic's trims, its writers wait for them.
  await Promise.all([told, ...room]);
  return decided;
}

/** Decides on an output under the lock of its topic's head. An error that it throws undoes the whole Commit. */
function decide(
  { stampClock, limits }: CommitParts,
  { topic, output, nextBefore }: Undecided,
  { head }: LockedView,
): Decided {
  if (head.nextOffset < nextBefore || head.epoch !== topic.epoch) {
    topic.observe(head, nextBefore);
    throw overError(topic);
  }
  const order = { batch: output.batch, expectedOffset: output.expectedOffset, producer: undefined, call: {} };
  const plan = planCommit({ head, producers: new Map() }, [order], {
    topic: topic.name,
    producerWindow: limits.producerWindow,
    failedCalls: noCalls,
  });
  const [fate] = plan.fates;
  if (fate?.kind === "refused") throw fate.error;
  return { before: head, write: prepareAppend(head, plan, { stampClock }).write };
}

function rangesOf(offsets: readonly number[]): RangeSet {
  const ranges = new RangeSet();
  for (const offset of offsets.toSorted((a, b) => a - b)) ranges.add(offset, offset + 1);
  return ranges;
}
