/** A scripted subscription: delivers records, confirms verdicts and windows, and keeps every message. */

import { type OffsetRange, RangeSet } from "../../../src/core/index.js";
import { Record as RecordMessage } from "../../../src/gen/millrace/v1/record.js";
import type { ConsumeRequest, ConsumeResponse } from "../../../src/gen/millrace/v1/subscription_service.js";
import type { ConsumeCall } from "../scripted-server.js";

const epoch = 7;

const nothing: ConsumeResponse = { records: [], attempt: 0, confirmed: undefined, event: undefined };

export const eventMessage = (event: ConsumeResponse["event"]): ConsumeResponse => ({ ...nothing, event });

export const startedAt = (
  offset: number,
  {
    ackDeadlineMs = 30_000,
    session = 11,
    sharing = "shared",
  }: {
    readonly ackDeadlineMs?: number;
    readonly session?: number;
    readonly sharing?: "shared" | "exclusive";
  } = {},
): ConsumeResponse =>
  eventMessage({
    $case: "started",
    value: {
      session,
      cursor: { epoch, offset },
      window: { records: 1000, bytes: 4_194_304 },
      ackDeadline: { seconds: Math.floor(ackDeadlineMs / 1000), nanos: (ackDeadlineMs % 1000) * 1_000_000 },
      sharing: sharing === "shared" ? 1 : 2,
    },
  });

/** The records at these offsets. */
export const recordsAt = (offsets: readonly number[], attempt = 1): ConsumeResponse => ({
  ...nothing,
  attempt,
  records: offsets.map((offset) => RecordMessage.fromPartial({ key: String(offset), offset })),
});

export const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

export const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

/** Every offset of the ranges, abbreviated or not. */
export const offsetsOf = (ranges: readonly (OffsetRange | undefined)[]): number[] =>
  ranges.flatMap((range) =>
    range === undefined ? [] : upTo(Math.max(1, range.nextOffset - range.firstOffset), range.firstOffset),
  );

/** The answer to a request for this window. */
export const windowChanged = (records: number, bytes = 4_194_304): ConsumeResponse =>
  eventMessage({ $case: "windowChanged", value: { records, bytes } });

/** Answers to verdicts on these offsets. */
export const confirmedMessage = (answers: {
  readonly acknowledged?: readonly number[];
  readonly stale?: readonly (readonly [offset: number, attempt: number])[];
}): ConsumeResponse => {
  const range = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });
  return {
    ...nothing,
    confirmed: {
      acknowledged: (answers.acknowledged ?? []).map(range),
      rejected: [],
      parked: [],
      extended: [],
      released: [],
      stale: (answers.stale ?? []).map(([offset, attempt]) => ({ offsets: range(offset), attempt })),
    },
  };
};

export interface ScriptedGroup {
  /** What consumers sent after their openings. */
  readonly said: ConsumeRequest[];
  readonly openings: ConsumeRequest[];
  readonly acknowledged: number[];
  readonly released: number[];
  readonly rejected: { offset: number; reason: string; delayMs: number | undefined }[];
  readonly extended: number[];
  /** Serves a call: runs `start` at its opening, and confirms every window and every verdict that is not in `stale`. */
  serve(stream: ConsumeCall, start: () => void): void;
  /** Whether the test itself answers. Default false. */
  isSilent: boolean;
  /** Offsets whose verdicts are answered STALE. */
  readonly stale: Set<number>;
}

export function scriptedGroup(): ScriptedGroup {
  const group: ScriptedGroup = {
    said: [],
    openings: [],
    acknowledged: [],
    released: [],
    rejected: [],
    extended: [],
    stale: new Set(),
    isSilent: false,
    serve(stream, start) {
      let isOpen = false;
      // Only changes are answered.
      let holding = { records: 1000, bytes: 4_194_304 };
      stream.on("data", (request: ConsumeRequest) => {
        if (!isOpen) {
          isOpen = true;
          group.openings.push(request);
          start();
          return;
        }
        group.said.push(request);
        note(group, request);
        if (group.isSilent) return;
        confirm(group, stream, request);
        const { window } = request;
        const { records = 0, bytes = 0 } = window ?? holding;
        if (records === holding.records && bytes === holding.bytes) return;
        holding = { records, bytes };
        stream.write(windowChanged(records, bytes));
      });
      stream.on("end", () => stream.end());
    },
  };
  return group;
}

function note(group: ScriptedGroup, request: ConsumeRequest): void {
  group.acknowledged.push(...offsetsOf(rangesOf(request.acknowledge)));
  group.released.push(...offsetsOf(rangesOf(request.release)));
  group.extended.push(...offsetsOf(rangesOf(request.extend)));
  for (const { offsets, reason, delay } of request.reject) {
    const delayMs = delay && delay.seconds * 1000 + delay.nanos / 1_000_000;
    for (const offset of offsetsOf([offsets])) group.rejected.push({ offset, reason, delayMs });
  }
}

interface Said {
  readonly offsets: OffsetRange | undefined;
  readonly attempt: number;
}

function rangesOf(verdicts: readonly Said[]) {
  return verdicts.map(({ offsets }) => offsets);
}

function confirm({ stale }: ScriptedGroup, stream: ConsumeCall, request: ConsumeRequest): void {
  const refused: { offsets: OffsetRange; attempt: number }[] = [];
  const taken = (verdicts: readonly Said[]): OffsetRange[] => {
    const left = new RangeSet();
    for (const { offsets, attempt } of verdicts) {
      for (const offset of offsetsOf([offsets])) {
        if (stale.has(offset)) refused.push({ offsets: { firstOffset: offset, nextOffset: offset + 1 }, attempt });
        else left.add(offset, offset + 1);
      }
    }
    return [...left];
  };
  const confirmed = {
    acknowledged: taken(request.acknowledge),
    rejected: taken(request.reject),
    parked: taken(request.park),
    extended: taken(request.extend),
    released: taken(request.release),
    stale: refused,
  };
  if (Object.values(confirmed).some((ranges) => ranges.length > 0)) stream.write({ ...nothing, confirmed });
}
