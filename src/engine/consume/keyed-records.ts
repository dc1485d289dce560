/**
 * KEYED: the records of a lane (a key) are worked on one after the other, by one consumer while it lives.
 *
 *   a lane:  resting ──something may be handed out──▶ offered ──it is taken──▶ working ──settled or failed──▶ resting
 *
 * A record that failed holds its lane: what comes after it waits until it came again and was settled. Redriven records
 * hold nothing, their turn was long ago; but they too wait while their lane is at work. Lanes are spread over consumers by
 * buckets, so that one who comes or goes moves as few as can be; a lane at work moves once its record is settled, so that
 * no two consumers are at work on one key.
 */

import { keySlots } from "../../core/index.js";
import { Queue } from "../../streams/index.js";
import type { Claim } from "./claim.js";
import type { Consumer } from "./consumer.js";
import type { HeldRecord, RecordState } from "./held-record.js";
import type { ReadyRecords } from "./ready-records.js";
import { SpreadRecords } from "./spread-records.js";

const buckets = 256;

interface Lane {
  readonly lane: number;
  state: "resting" | "offered" | "working";
  /** Records that come again: before those that wait. */
  readonly again: Queue<HeldRecord>;
  readonly waiting: Queue<HeldRecord>;
  /** How many of its records wait for their retry. */
  held: number;
}

export class KeyedRecords implements ReadyRecords {
  readonly #lanes = new Map<number, Lane>();
  /** Records without a key. */
  readonly #free = new SpreadRecords();
  /** The lanes that are offered to each consumer. */
  #offers = new Map<Consumer, Queue<Lane>>();
  /** Offered while nobody is there to take them. */
  #unclaimed: Lane[] = [];
  #owners: readonly Consumer[] = [];
  #count = 0;
  #againCount = 0;
  #bytes = 0;

  get count(): number {
    return this.#count + this.#free.count;
  }

  get againCount(): number {
    return this.#againCount + this.#free.againCount;
  }

  get bytes(): number {
    return this.#bytes + this.#free.bytes;
  }

  add(record: HeldRecord): void {
    if (record.lane === undefined) return this.#free.add(record);
    const lane = this.#laneOf(record.lane);
    lane.waiting.push(copied(record));
    this.#grow(record);
    this.#settle(lane);
  }

  addAgain(record: HeldRecord): void {
    if (record.lane === undefined) return this.#free.addAgain(record);
    const lane = this.#laneOf(record.lane);
    if (holds(record)) lane.held -= 1;
    lane.again.push(record);
    this.#againCount += 1;
    this.#grow(record);
    this.#settle(lane);
  }

  peek(consumer: Consumer, againOnly: boolean): HeldRecord | undefined {
    const offers = this.#offers.get(consumer);
    const free = this.#free.peek(consumer, againOnly);
    if (againOnly) this.#turnToAgain(offers);
    for (let lane = offers?.at(0); lane !== undefined; lane = offers?.at(0)) {
      const record = nextOf(lane);
      // Whichever is older: neither may wait until there is none of the other.
      if (record !== undefined && (lane.again.length > 0 || !againOnly)) {
        return free !== undefined && free.offset < record.offset ? free : record;
      }
      if (record !== undefined) break;
      // What it was offered for was dropped.
      offers?.shift();
      lane.state = "resting";
      this.#settle(lane);
    }
    return free;
  }

  take(consumer: Consumer, record: HeldRecord): void {
    if (record.lane === undefined) return this.#free.take(consumer, record);
    const lane = this.#offers.get(consumer)?.shift();
    if (lane === undefined) return;
    if (lane.again.at(0) === record) {
      lane.again.shift();
      this.#againCount -= 1;
    } else lane.waiting.shift();
    this.#shrink(record);
    lane.state = "working";
  }

  settled(record: RecordState): void {
    this.#rest(record.lane);
  }

  failed(record: RecordState): void {
    this.hold(record);
    this.#rest(record.lane);
  }

  hold(record: RecordState): void {
    if (record.lane !== undefined && holds(record)) this.#laneOf(record.lane).held += 1;
  }

  release(record: RecordState): void {
    const lane = record.lane === undefined ? undefined : this.#lanes.get(record.lane);
    if (lane === undefined) return;
    if (holds(record)) lane.held -= 1;
    this.#settle(lane);
  }

  drop(claim: Claim): void {
    this.#free.drop(claim);
    for (const lane of this.#lanes.values()) {
      for (const queue of [lane.again, lane.waiting]) {
        for (let left = queue.length; left > 0; left--) {
          const record = queue.shift() as HeldRecord;
          if (record.claim !== claim) queue.push(record);
          else {
            this.#shrink(record);
            if (queue === lane.again) this.#againCount -= 1;
          }
        }
      }
      // With its slot goes all that was known of a lane.
      if (claim.kind === "slot" && lane.lane % keySlots === claim.slot) {
        lane.held = 0;
        if (lane.state === "working") lane.state = "resting";
      }
      this.#settle(lane);
    }
  }

  share(consumers: ReadonlySet<Consumer>): void {
    this.#owners = ownersOf([...consumers]);
    const offered = this.#unclaimed;
    for (const lanes of this.#offers.values()) {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) offered.push(lane);
    }
    this.#offers = new Map([...consumers].map((consumer) => [consumer, new Queue<Lane>()]));
    this.#unclaimed = [];
    for (const lane of offered) this.#offer(lane);
  }

  clear(): void {
    this.#lanes.clear();
    this.#free.clear();
    for (const lanes of this.#offers.values()) lanes.clear();
    this.#unclaimed = [];
    this.#count = 0;
    this.#againCount = 0;
    this.#bytes = 0;
  }

  /** Brings a lane to the front of which something comes again, if there is one: others would hide it. */
  #turnToAgain(offers: Queue<Lane> | undefined): void {
    if (offers === undefined || this.#againCount === 0) return;
    for (let left = offers.length; left > 0 && offers.at(0)?.again.length === 0; left--) {
      offers.push(offers.shift() as Lane);
    }
  }

  #laneOf(number: number): Lane {
    let lane = this.#lanes.get(number);
    if (lane === undefined) {
      lane = { lane: number, state: "resting", again: new Queue(), waiting: new Queue(), held: 0 };
      this.#lanes.set(number, lane);
    }
    return lane;
  }

  /** The record of a lane is no longer worked on. */
  #rest(laneNumber: number | undefined): void {
    const lane = laneNumber === undefined ? undefined : this.#lanes.get(laneNumber);
    if (lane?.state !== "working") return;
    lane.state = "resting";
    this.#settle(lane);
  }

  /** Offers a resting lane that has something to hand out, and forgets one of which nothing is left. */
  #settle(lane: Lane): void {
    if (lane.state !== "resting") return;
    if (nextOf(lane) !== undefined) this.#offer(lane);
    else if (lane.held <= 0 && lane.waiting.length === 0) this.#lanes.delete(lane.lane);
  }

  #offer(lane: Lane): void {
    lane.state = "offered";
    const owner = this.#owners[Math.floor(lane.lane / keySlots) % buckets];
    if (owner === undefined) this.#unclaimed.push(lane);
    else this.#offers.get(owner)?.push(lane);
  }

  #grow(record: HeldRecord): void {
    this.#count += 1;
    this.#bytes += record.end - record.start;
  }

  #shrink(record: HeldRecord): void {
    this.#count -= 1;
    this.#bytes -= record.end - record.start;
  }
}

function nextOf(lane: Lane): HeldRecord | undefined {
  return lane.again.at(0) ?? (lane.held > 0 ? undefined : lane.waiting.at(0));
}

function holds({ claim }: RecordState): boolean {
  return claim.kind !== "redriven";
}

/** A record may wait long here: by itself it does not hold its whole page in memory. */
function copied(record: HeldRecord): HeldRecord {
  const page = Uint8Array.prototype.slice.call(record.page, record.start, record.end);
  return { ...record, page, start: 0, end: page.length };
}

/** Who has each bucket: of all consumers the one with the highest score there (rendezvous hashing). */
function ownersOf(consumers: readonly Consumer[]): readonly Consumer[] {
  if (consumers.length === 0) return [];
  return Array.from({ length: buckets }, (_, bucket) => {
    let owner = consumers[0] as Consumer;
    let best = -1;
    for (const consumer of consumers) {
      const score = scoreOf(consumer.id, bucket);
      if (score > best) {
        best = score;
        owner = consumer;
      }
    }
    return owner;
  });
}

function scoreOf(id: number, bucket: number): number {
  let value = Math.imul(id, 0x9e3779b1) ^ Math.imul(bucket + 1, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 15), 0xc2b2ae35);
  value = Math.imul(value ^ (value >>> 13), 0x27d4eb2f);
  return (value ^ (value >>> 16)) >>> 0;
}
