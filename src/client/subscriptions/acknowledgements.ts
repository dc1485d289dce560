import { deliveryBounds, type OffsetRange, RangeSet, type Window } from "../../core/index.js";
import type { ConsumeRequest } from "../../gen/millrace/v1/subscription_service.js";
import { durationOfMs } from "../../wire/index.js";
import type { Verdict } from "./delivery-life.js";

/** Records that share one verdict or extension. */
interface Group {
  readonly attempt: number;
  readonly ms: number | undefined;
  readonly reason: string;
  readonly offsets: RangeSet;
}

/** One range of a group, for a message. */
interface Part extends Omit<Group, "offsets"> {
  readonly offsets: OffsetRange;
}

/** What still fits in the message. */
interface Room {
  ranges: number;
  bytes: number;
}

/** The server refuses messages over 4 MiB, and reasons can make them large. */
const messageBytesMax = 1_048_576;

/** An upper bound for an encoded range, without its reason. */
const rangeBytesMax = 56;

/**
 * Collects the next message to the server: verdicts and extensions for ranges of offsets, each with its attempt, and a
 * window.
 */
export class Acknowledgements {
  readonly #acknowledged = new Groups();
  readonly #released = new Groups();
  readonly #rejected = new Groups();
  readonly #parked = new Groups();
  readonly #extended = new Groups();
  #window: Window | undefined;

  get isEmpty(): boolean {
    return this.#window === undefined && this.#all.every(({ isEmpty }) => isEmpty);
  }

  /** Requests another window. Only the last request counts. */
  set window(window: Window) {
    this.#window = window;
  }

  /** The offsets with this verdict on this attempt; the caller adds to them. */
  withVerdict(verdict: Verdict, attempt: number): RangeSet {
    switch (verdict.kind) {
      case "acknowledge":
        return this.#acknowledged.of(attempt);
      case "release":
        return this.#released.of(attempt);
      case "reject":
        return this.#rejected.of(attempt, verdict.delayMs, verdict.reason);
      case "park":
        return this.#parked.of(attempt, undefined, verdict.reason);
      default:
        throw verdict satisfies never;
    }
  }

  /** The offsets to extend by `ms`; the caller adds to them. `ms` undefined: the subscription's deadline. */
  withExtension(attempt: number, ms: number | undefined): RangeSet {
    return this.#extended.of(attempt, ms);
  }

  /** Takes out the next message: everything, or as much as fits. */
  take(): ConsumeRequest {
    const room: Room = { ranges: deliveryBounds.rangesInMessage, bytes: messageBytesMax };
    const window = this.#window;
    this.#window = undefined;
    return {
      ...emptyRequest,
      window,
      // Extensions first: a late one is useless.
      extend: this.#extended
        .take(room)
        .map(({ offsets, attempt, ms }) => ({ offsets, attempt, by: optionalDuration(ms) })),
      acknowledge: this.#acknowledged.take(room).map(({ offsets, attempt }) => ({ offsets, attempt })),
      release: this.#released.take(room).map(({ offsets, attempt }) => ({ offsets, attempt })),
      reject: this.#rejected
        .take(room)
        .map(({ offsets, attempt, ms, reason }) => ({ offsets, attempt, delay: optionalDuration(ms), reason })),
      park: this.#parked.take(room).map(({ offsets, attempt, reason }) => ({ offsets, attempt, reason })),
    };
  }

  get #all(): readonly Groups[] {
    return [this.#acknowledged, this.#released, this.#rejected, this.#parked, this.#extended];
  }
}

export const emptyRequest: ConsumeRequest = {
  subscription: "",
  topic: "",
  start: undefined,
  consumer: "",
  window: undefined,
  acknowledge: [],
  reject: [],
  extend: [],
  park: [],
  release: [],
};

/** Verdicts of one kind. */
class Groups {
  readonly #groups = new Map<string, Group>();
  /** The last group without a duration and a reason: most verdicts belong to it, and need no look-up. */
  #plain: Group | undefined;

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  of(attempt: number, ms?: number, reason = ""): RangeSet {
    const isPlain = ms === undefined && reason === "";
    if (isPlain && this.#plain?.attempt === attempt) return this.#plain.offsets;
    const name = `${attempt} ${ms ?? ""} ${reason}`;
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, (group = { attempt, ms, reason, offsets: new RangeSet() }));
    if (isPlain) this.#plain = group;
    return group.offsets;
  }

  take(room: Room): Part[] {
    const taken: Part[] = [];
    for (const [name, { offsets, ...of }] of this.#groups) {
      for (const range of takeRanges(offsets, room, of.reason.length * 3)) taken.push({ ...of, offsets: range });
      if (!offsets.isEmpty) break;
      this.#groups.delete(name);
      if (this.#plain?.offsets === offsets) this.#plain = undefined;
    }
    return taken;
  }
}

function takeRanges(from: RangeSet, room: Room, extraBytes = 0): OffsetRange[] {
  const bytes = rangeBytesMax + extraBytes;
  const rangesMax = Math.min(room.ranges, Math.floor(room.bytes / bytes));
  const taken: OffsetRange[] = [];
  if (rangesMax <= 0) return taken;
  for (const range of from) {
    taken.push(range);
    if (taken.length === rangesMax) break;
  }
  room.ranges -= taken.length;
  room.bytes -= taken.length * bytes;
  if (taken.length === from.size) from.clear();
  else from.delete((taken[0] as OffsetRange).firstOffset, (taken.at(-1) as OffsetRange).nextOffset);
  return taken;
}

function optionalDuration(ms: number | undefined) {
  return ms === undefined ? undefined : durationOfMs(ms);
}
