/**
 * What an appender knows of its topic between commits: the head and the states of some producers. It follows this node's
 * own commits. After another node has written, it is read again.
 */

import { MillraceError, type ProducerState } from "../../core/index.js";
import type { Head, LockedView } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { overError, type Topic } from "../topics/topic.js";
import type { TopicView } from "./commit-plan.js";

/** Producers in the views of all topics of a node. */
export interface ProducerCount {
  count: number;
  /** From here on, a view removes the producers that it used longest ago, but never those of the commit at hand. */
  readonly max: number;
}

export interface CachedViewParts {
  readonly lanes: DatabaseLanes;
  readonly cachedProducers: ProducerCount;
}

export class CachedView {
  readonly #topic: Topic;
  readonly #lanes: DatabaseLanes;
  readonly #node: ProducerCount;
  /** Undefined: what this node knew may be wrong. */
  #head: Head | undefined;
  /** In the order of their last use: a Map keeps insertion order. */
  #producers = new Map<string, ProducerState | undefined>();

  constructor(topic: Topic, head: Head, { lanes, cachedProducers }: CachedViewParts) {
    this.#topic = topic;
    this.#head = head;
    this.#lanes = lanes;
    this.#node = cachedProducers;
  }

  /** Whether it can decide on batches of these producers. */
  has(producers: readonly string[]): boolean {
    return this.#head !== undefined && producers.every((id) => this.#producers.has(id));
  }

  get current(): TopicView {
    if (this.#head === undefined) throw new MillraceError("internal", "An appender decided without a view");
    return { head: this.#head, producers: this.#producers };
  }

  /** Reads it again, with the states of these producers. Throws when the topic is over. */
  async refresh(producers: readonly string[]): Promise<void> {
    const topic = this.#topic;
    const nextBefore = topic.tip.value.nextOffset;
    const read = await this.#lanes.attempt("append", (store) => store.readView(topic.topicId, producers));
    if (read === undefined) topic.markDeleted();
    else topic.observe(read.head, nextBefore);
    if (read === undefined || topic.isOver) throw overError(topic);
    this.adopt(read, producers);
  }

  /** Takes over a fresh view. Other producers' states stay only if nobody else has written since. */
  adopt(read: LockedView, asked: readonly string[]): void {
    if (this.#head?.nextOffset !== read.head.nextOffset) this.#forgetAll();
    this.#head = read.head;
    for (const id of asked) this.#remember(id, undefined);
    for (const producer of read.producers) this.#remember(producer.id, producer);
    this.#makeRoom(asked.length);
  }

  /** Follows a commit of this node. */
  moveTo(head: Head, producers: readonly ProducerState[]): void {
    if (this.#head === undefined) return;
    this.#head = head;
    for (const producer of producers) this.#remember(producer.id, producer);
    this.#makeRoom(0);
  }

  /** Forgets everything: the outcome of a commit is unknown, or the topic leaves memory. */
  drop(): void {
    this.#head = undefined;
    this.#forgetAll();
  }

  #remember(id: string, state: ProducerState | undefined): void {
    if (!this.#producers.delete(id)) this.#node.count += 1;
    this.#producers.set(id, state);
  }

  /** Removes the producers used longest ago while the node has too many, but keeps the last `kept`. */
  #makeRoom(kept: number): void {
    for (const oldest of this.#producers.keys()) {
      if (this.#node.count <= this.#node.max || this.#producers.size <= kept) return;
      this.#producers.delete(oldest);
      this.#node.count -= 1;
    }
  }

  #forgetAll(): void {
    this.#node.count -= this.#producers.size;
    this.#producers = new Map();
  }
}
