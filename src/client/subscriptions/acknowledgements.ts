import { deliveryBounds, type OffsetRange, RangeSet, type Window } from "../../core/index.js";
import type { ConsumeRequest } from "../../gen/millrace/v1/subscription_service.js";
import { durationOfMs } from "../../wire/index.js";
import type { Verdict } from "./held.js";

/** What is said of some records besides that it is said. */
interface Group {
  readonly ms: number | undefined;
  readonly reason: string;
  readonly ranges: RangeSet;
}

/** What one message may still take. */
interface Room {
  ranges: number;
  bytes: number;
}

/** Reasons make messages large, and the server takes 4 MiB. */
const messageBytes = 1_048_576;

/** More than a range takes with its numbers. */
const rangeBytes = 48;

/** What is to be said to the server, until the next message takes it: each verdict a set of offsets, where runs are one. */
export class Acknowledgements {
  readonly #acknowledged = new RangeSet();
  readonly #released = new RangeSet();
  readonly #rejected = new Map<string, Group>();
  readonly #parked = new Map<string, Group>();
  readonly #extended = new Map<string, Group>();
  #window: Window | undefined;

  get isEmpty(): boolean {
    return (
      this.#window === undefined &&
      this.#acknowledged.isEmpty &&
      this.#released.isEmpty &&
      this.#rejected.size + this.#parked.size + this.#extended.size === 0
    );
  }

  /** The window from here on. Only the last one counts. */
  set window(window: Window) {
    this.#window = window;
  }

  add(verdict: Verdict, firstOffset: number, nextOffset: number): void {
    switch (verdict.kind) {
      case "acknowledge":
        this.#acknowledged.add(firstOffset, nextOffset);
        return;
      case "release":
        this.#released.add(firstOffset, nextOffset);
        return;
      case "reject":
        groupOf(this.#rejected, verdict.delayMs, verdict.reason).add(firstOffset, nextOffset);
        return;
      case "park":
        groupOf(this.#parked, undefined, verdict.reason).add(firstOffset, nextOffset);
        return;
      default:
        throw verdict satisfies never;
    }
  }

  /** `ms` undefined: as long as at first. */
  extend(firstOffset: number, nextOffset: number, ms: number | undefined): void {
    groupOf(this.#extended, ms, "").add(firstOffset, nextOffset);
  }

  /** Takes the next message out: all there is, or as much as one message may say. */
  take(): ConsumeRequest {
    const room: Room = { ranges: deliveryBounds.rangesInMessage, bytes: messageBytes };
    const window = this.#window;
    this.#window = undefined;
    return {
      ...emptyRequest,
      window,
      // More time first: it runs out.
      extend: takeGroups(this.#extended, room).map(({ offsets, ms }) => ({
        offsets,
        attempt: 0,
        by: optionalDuration(ms),
      })),
      acknowledge: takeRanges(this.#acknowledged, room).map((offsets) => ({ offsets, attempt: 0 })),
      release: takeRanges(this.#released, room).map((offsets) => ({ offsets, attempt: 0 })),
      reject: takeGroups(this.#rejected, room).map(({ offsets, ms, reason }) => ({
        offsets,
        attempt: 0,
        delay: optionalDuration(ms),
        reason,
      })),
      park: takeGroups(this.#parked, room).map(({ offsets, reason }) => ({ offsets, attempt: 0, reason })),
    };
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

function groupOf(groups: Map<string, Group>, ms: number | undefined, reason: string): RangeSet {
  const name = `${ms ?? ""} ${reason}`;
  let group = groups.get(name);
  if (group === undefined) groups.set(name, (group = { ms, reason, ranges: new RangeSet() }));
  return group.ranges;
}

function takeGroups(groups: Map<string, Group>, room: Room): (Omit<Group, "ranges"> & { offsets: OffsetRange })[] {
  const taken: (Omit<Group, "ranges"> & { offsets: OffsetRange })[] = [];
  for (const [name, { ms, reason, ranges }] of groups) {
    for (const offsets of takeRanges(ranges, room, reason.length * 3)) taken.push({ ms, reason, offsets });
    if (!ranges.isEmpty) break;
    groups.delete(name);
  }
  return taken;
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
