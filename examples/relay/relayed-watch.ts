/**
 * A watch of Millrace as messages of the relay, one for one: when the client is ready for a message, a page of records
 * is requested and becomes that message. Events between pages go with the next page, or alone if there is none yet.
 */

import type { Location, MillraceClient, RecordPage, WatchEvent } from "millrace";
import { PENDING, type Produced, Stage, type Stream, type Waker, END } from "millrace/streams";
import { enrich } from "./enrich.js";
import type { Feature, WatchResponse } from "./relay-proto.js";

export class RelayedWatch extends Stage<WatchResponse> {
  readonly #from: Location;
  readonly #pages: Stream<RecordPage>;
  #startsOver = false;
  #isUpToDate = false;
  #removed: string[] = [];

  constructor(millrace: MillraceClient, topic: string, from: Location) {
    super();
    this.#from = from;
    this.#pages = millrace.state.watch(topic, { onEvent: (event) => this.#note(event) }).pages();
  }

  protected override produce(waker: Waker): Produced<WatchResponse> {
    const page = this.#pages.poll(waker);
    const isWaiting = page === PENDING || page === END;
    // The end is returned again when it is requested again.
    if (isWaiting && !this.#startsOver && !this.#isUpToDate && this.#removed.length === 0) return page;
    const features: Feature[] = [];
    for (const record of isWaiting ? [] : page.records) {
      const feature = record.body === undefined ? undefined : enrich(record, this.#from);
      if (feature === undefined) this.#removed.push(record.key);
      else features.push(feature);
    }
    const message = {
      startsOver: this.#startsOver,
      removed: this.#removed,
      features,
      isUpToDate: this.#isUpToDate,
    };
    this.#startsOver = false;
    this.#isUpToDate = false;
    this.#removed = [];
    return message;
  }

  protected override dispose(): Promise<void> | undefined {
    return this.#pages.close();
  }

  /** Called while a page is awaited, with the events before it. */
  #note(event: WatchEvent): void {
    if (event.type === "left") this.#removed.push(...event.keys);
    if (event.type === "snapshot-end") this.#isUpToDate = true;
    if (event.type === "reset") {
      this.#startsOver = true;
      this.#removed = [];
    }
  }
}
