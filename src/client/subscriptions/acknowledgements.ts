import { deliveryBounds, type OffsetRange, RangeSet, type Window } from "../../core/index.js";
import type { ConsumeRequest } from "../../gen/millrace/v1/subscription_service.js";
import { durationOfMs } from "../../wire/index.js";
import type { Verdict } from "./delivery-life.js";

/** Records of which the same is said. */
interface Group {
  readonly attempt: number;
  readonly ms: number | undefined;
  readonly reason: string;
  readonly offsets: RangeSet;
}

/** A range of a group, as a message has it. */
interface Part extends Omit<Group, "offsets"> {
  readonly offsets: OffsetRange;
}

/** What one message may still take. */
interface Room {
  ranges: number;
  bytes: number;
}

/** Reasons make messages large, and the server takes 4 MiB. */
const messageBytesMax = 1_048_576;

/** More than a range takes with its numbers. */
const rangeBytes = 56;

/**
 * What the next message to the server says: verdicts on ranges of offsets with the attempt that they were delivered with,
 * and a window.
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

  /** Asks for another window. Only the last one counts. */
  set window(window: Window) {
    this.#window = window;
  }

  /** The records that were delivered with this attempt, and of which this is to be said: add to them. */
  saying(verdict: Verdict, attempt: number): RangeSet {
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

  /** The records that take longer: add to them. `ms` undefined: the subscription's deadline. */
  extending(attempt: number, ms: number | undefined): RangeSet {
    return this.#extended.of(attempt, ms);
  }

  /** Takes out the next message: all there is, or as much as fits one. */
  take(): ConsumeRequest {
    const room: Room = { ranges: deliveryBounds.rangesInMessage, bytes: messageBytesMax };
    const window = this.#window;
    this.#window = undefined;
    return {
      ...emptyRequest,
      window,
      // Extensions first: time runs out.
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

/** A message that says nothing. */
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
  /** Most verdicts are on the same attempt as the one before, and name nothing else. */
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
  const bytes = rangeBytes + extraBytes;
  const most = Math.min(room.ranges, Math.floor(room.bytes / bytes));
  const taken: OffsetRange[] = [];
  if (most <= 0) return taken;
  for (const range of from) {
    taken.push(range);
    if (taken.length === most) break;
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
