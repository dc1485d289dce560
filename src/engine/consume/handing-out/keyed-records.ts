/**
 * KEYED: the records of a key are worked on one after the other, by one consumer as long as it stays.
 *
 *   a key queue:  resting ──a record may be handed out──▶ offered ──it is taken──▶ working ──settled or failed──▶ resting
 *
 * A record that failed holds its key queue: the records behind it wait until it was redelivered and settled. Redriven records
 * hold nothing, since their turn was long ago; but they too wait while their key is worked on.
 *
 * Key queues are spread over consumers by buckets, so that as few as possible move when a consumer comes or goes. A key queue
 * that is worked on moves when its record is settled, so that no two consumers work on one key. When the deadline of its
 * record passes, it moves to another consumer, if there is one.
 */

import { keySlots } from "../../../core/index.js";
import { Queue } from "../../../streams/index.js";
import type { Claim } from "../records/claim.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRecords } from "./ready-records.js";
import { bytesOfFrames, copiedFrames, type ReadyRun, recordsIn, type RecordRun } from "../records/record-run.js";
import { SpreadRecords } from "./spread-records.js";

const buckets = 256;
/** Memory of a record beside its frame, in bytes, measured. */
const recordOverheadBytes = 400;

interface KeyQueue {
  readonly number: number;
  state: "resting" | "offered" | "working";
  /** These precede `waiting`. Both are undefined while they are empty: most keys have one record at a time. */
  redeliveries: Queue<ReadyRun> | undefined;
  waiting: Queue<ReadyRun> | undefined;
  /** How many of its records wait for redelivery. */
  held: number;
  /** The consumer that let the deadline of its record pass. */
  late: Consumer | undefined;
}

export class KeyedRecords implements ReadyRecords {
  readonly #queues = new Map<number, KeyQueue>();
  /** Records without a key. */
  readonly #free = new SpreadRecords(false);
  /** The key queues that are offered to each consumer. */
  #offers = new Map<Consumer, Queue<KeyQueue>>();
  /** Key queues that are offered while there is no consumer. */
  #unclaimed: KeyQueue[] = [];
  #consumers: readonly Consumer[] = [];
  #owners: readonly Consumer[] = [];
  #count = 0;
  #redeliveryCount = 0;
  #bytes = 0;

  get count(): number {
    return this.#count + this.#free.count;
  }

  get redeliveryCount(): number {
    return this.#redeliveryCount + this.#free.redeliveryCount;
  }

  get bytes(): number {
    return this.#bytes + this.#free.bytes;
  }

  add(run: ReadyRun): void {
    if (run.keyQueue === undefined) return this.#free.add(run);
    const queue = this.#queueOf(run.keyQueue);
    // It may wait long here: a copy does not hold its whole page in memory.
    const copied = { ...run, frames: copiedFrames(run.frames, 1) };
    (queue.waiting ??= new Queue()).push(copied);
    this.#grow(copied);
    this.#rearrange(queue);
  }

  addRedelivery(run: ReadyRun): void {
    if (run.keyQueue === undefined) return this.#free.addRedelivery(run);
    const queue = this.#queueOf(run.keyQueue);
    if (holds(run)) queue.held -= 1;
    (queue.redeliveries ??= new Queue()).push(run);
    this.#redeliveryCount += 1;
    this.#grow(run);
    this.#rearrange(queue);
  }

  peek(consumer: Consumer, redeliveriesOnly: boolean): ReadyRun | undefined {
    const offers = this.#offers.get(consumer);
    // A consumer that keys are not spread over does not get records without a key either.
    const free = offers === undefined ? undefined : this.#free.peek(consumer, redeliveriesOnly);
    if (redeliveriesOnly) this.#turnToRedeliveries(offers);
    for (let queue = offers?.at(0); queue !== undefined; queue = offers?.at(0)) {
      const run = nextOf(queue);
      // The older one: neither kind may wait until there is none of the other.
      if (run !== undefined && (queue.redeliveries !== undefined || !redeliveriesOnly)) {
        return free !== undefined && free.firstOffset < run.firstOffset ? free : run;
      }
      if (run !== undefined) break;
      // The records for which it was offered were dropped.
      offers?.shift();
      queue.state = "resting";
      this.#rearrange(queue);
    }
    return free;
  }

  take(consumer: Consumer, run: ReadyRun, count: number): ReadyRun {
    if (run.keyQueue === undefined) return this.#free.take(consumer, run, count);
    const queue = this.#offers.get(consumer)?.shift();
    if (queue === undefined) return run;
    if (queue.redeliveries?.at(0) === run) {
      queue.redeliveries = shifted(queue.redeliveries);
      this.#redeliveryCount -= 1;
    } else queue.waiting = shifted(queue.waiting);
    this.#shrink(run);
    queue.state = "working";
    return run;
  }

  settled(run: RecordRun): void {
    this.#rest(run.keyQueue);
  }

  failed(run: RecordRun, late: Consumer | undefined): void {
    this.hold(run);
    const queue = run.keyQueue === undefined ? undefined : this.#queues.get(run.keyQueue);
    if (queue !== undefined && late !== undefined) queue.late = late;
    this.#rest(run.keyQueue);
  }

  hold(run: RecordRun): void {
    if (run.keyQueue !== undefined && holds(run)) this.#queueOf(run.keyQueue).held += 1;
  }

  release(run: RecordRun): void {
    const queue = run.keyQueue === undefined ? undefined : this.#queues.get(run.keyQueue);
    if (queue === undefined) return;
    if (holds(run)) queue.held -= 1;
    this.#rearrange(queue);
  }

  drop(claim: Claim): void {
    this.#free.drop(claim);
    for (const queue of this.#queues.values()) {
      queue.redeliveries = this.#without(claim, queue.redeliveries, (run) => (this.#redeliveryCount -= recordsIn(run)));
      queue.waiting = this.#without(claim, queue.waiting, () => undefined);
      // When its slot leaves the node, nothing more is known of a key.
      if (claim.kind === "slot" && queue.number % keySlots === claim.slot) {
        queue.held = 0;
        if (queue.state === "working") queue.state = "resting";
      }
      this.#rearrange(queue);
    }
  }

  share(consumers: readonly Consumer[]): boolean {
    const before = this.#consumers;
    if (consumers.length === before.length && consumers.every((each, index) => each === before[index])) return false;
    this.#consumers = consumers;
    this.#owners = ownersOf(consumers);
    const offered = this.#unclaimed;
    for (const queues of this.#offers.values()) {
      for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) offered.push(queue);
    }
    this.#offers = new Map(consumers.map((consumer) => [consumer, new Queue<KeyQueue>()]));
    this.#unclaimed = [];
    for (const queue of offered) this.#offer(queue);
    return true;
  }

  clear(): void {
    this.#queues.clear();
    this.#free.clear();
    for (const queues of this.#offers.values()) queues.clear();
    this.#unclaimed = [];
    this.#count = 0;
    this.#redeliveryCount = 0;
    this.#bytes = 0;
  }

  /** Brings a key queue that has a redelivered record to the front, if there is one: the others would hide it. */
  #turnToRedeliveries(offers: Queue<KeyQueue> | undefined): void {
    if (offers === undefined || this.#redeliveryCount === 0) return;
    for (let left = offers.length; left > 0 && offers.at(0)?.redeliveries === undefined; left--) {
      offers.push(offers.shift() as KeyQueue);
    }
  }

  #queueOf(number: number): KeyQueue {
    let queue = this.#queues.get(number);
    if (queue === undefined) {
      queue = { number, state: "resting", redeliveries: undefined, waiting: undefined, held: 0, late: undefined };
      this.#queues.set(number, queue);
    }
    return queue;
  }

  /** The record of a key queue is not worked on any more. */
  #rest(number: number | undefined): void {
    const queue = number === undefined ? undefined : this.#queues.get(number);
    if (queue?.state !== "working") return;
    queue.state = "resting";
    this.#rearrange(queue);
  }

  /** Offers a resting key queue that has a record to hand out, and forgets an empty one. */
  #rearrange(queue: KeyQueue): void {
    if (queue.state !== "resting") return;
    if (nextOf(queue) !== undefined) this.#offer(queue);
    else if (queue.held <= 0 && queue.waiting === undefined) this.#queues.delete(queue.number);
  }

  #offer(queue: KeyQueue): void {
    queue.state = "offered";
    const owner = this.#ownerOf(queue);
    if (owner === undefined) {
      this.#unclaimed.push(queue);
      return;
    }
    const offers = this.#offers.get(owner);
    // It may not be the consumer that settled the record before.
    if (offers?.length === 0) owner.wake();
    offers?.push(queue);
  }

  #ownerOf({ number, late }: KeyQueue): Consumer | undefined {
    const bucket = Math.floor(number / keySlots) % buckets;
    const owner = this.#owners[bucket];
    if (owner === undefined || owner !== late || this.#consumers.length === 1) return owner;
    return bestOf(
      this.#consumers.filter((consumer) => consumer !== late),
      bucket,
    );
  }

  /** A queue without the runs of a claim. */
  #without(
    claim: Claim,
    runs: Queue<ReadyRun> | undefined,
    onDropped: (run: ReadyRun) => void,
  ): Queue<ReadyRun> | undefined {
    if (runs === undefined) return undefined;
    for (let left = runs.length; left > 0; left--) {
      const run = runs.shift() as ReadyRun;
      if (run.claim !== claim) {
        runs.push(run);
        continue;
      }
      this.#shrink(run);
      onDropped(run);
    }
    return runs.length === 0 ? undefined : runs;
  }

  #grow(run: ReadyRun): void {
    this.#count += recordsIn(run);
    this.#bytes += bytesOfFrames(run) + recordOverheadBytes;
  }

  #shrink(run: ReadyRun): void {
    this.#count -= recordsIn(run);
    this.#bytes -= bytesOfFrames(run) + recordOverheadBytes;
  }
}

function nextOf(queue: KeyQueue): ReadyRun | undefined {
  return queue.redeliveries?.at(0) ?? (queue.held > 0 ? undefined : queue.waiting?.at(0));
}

function shifted(runs: Queue<ReadyRun> | undefined): Queue<ReadyRun> | undefined {
  runs?.shift();
  return runs?.length === 0 ? undefined : runs;
}

function holds({ claim }: RecordRun): boolean {
  return claim.kind !== "redriven";
}

/** The consumer of each bucket. */
function ownersOf(consumers: readonly Consumer[]): readonly Consumer[] {
  if (consumers.length === 0) return [];
  return Array.from({ length: buckets }, (_, bucket) => bestOf(consumers, bucket) as Consumer);
}

/** Of all consumers the one with the highest score in a bucket (rendezvous hashing). */
function bestOf(consumers: readonly Consumer[], bucket: number): Consumer | undefined {
  let owner = consumers[0];
  let best = -1;
  for (const consumer of consumers) {
    const score = scoreOf(consumer.id, bucket);
    if (score > best) {
      best = score;
      owner = consumer;
    }
  }
  return owner;
}

function scoreOf(id: number, bucket: number): number {
  let value = Math.imul(id, 0x9e3779b1) ^ Math.imul(bucket + 1, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 15), 0xc2b2ae35);
  value = Math.imul(value ^ (value >>> 13), 0x27d4eb2f);
  return (value ^ (value >>> 16)) >>> 0;
}
