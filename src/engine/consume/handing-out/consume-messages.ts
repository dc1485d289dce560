import type { ConsumerWaiting, Position, Start, OffsetRange, Sharing, Window } from "../../../core/index.js";

/** One Consume call, as DescribeSubscription tells it, also to other nodes: all of it goes through JSON. */
export interface ConsumerFacts {
  readonly name: string;
  readonly peer: string;
  readonly node: string;
  readonly window: Window;
  readonly outstandingRecords: number;
  readonly outstandingBytes: number;
  readonly startTimeMs: number;
  /** 0: never. */
  readonly lastAcknowledgementMs: number;
  readonly waiting: ConsumerWaiting;
}

/** What opens a Consume call. */
export type ConsumeOpening = { readonly consumer: string; readonly window: Window } & (
  | { readonly kind: "subscription"; readonly subscription: string }
  /** Keeps nothing. `start` undefined: `latest`. */
  | { readonly kind: "ephemeral"; readonly topic: string; readonly start: Start | undefined }
);

/** A run of records as they were delivered. */
export interface DeliveredRange {
  /** Not empty; it may reach beyond what there is. */
  readonly range: OffsetRange;
  /** The attempt that is meant; 0: any. What was delivered by another attempt is `stale`. */
  readonly attempt: number;
}

/** What a consumer says after its opening. */
export interface ConsumerRequest {
  readonly window: Window | undefined;
  readonly acknowledge: readonly DeliveredRange[];
  /** All that was sent so far up to and with this offset. */
  readonly acknowledgeThrough: number | undefined;
  /** `delayMs` undefined: as the subscription backs off. */
  readonly reject: readonly (DeliveredRange & { readonly delayMs: number | undefined; readonly reason: string })[];
  /** `byMs` undefined: the subscription's deadline. */
  readonly extend: readonly (DeliveredRange & { readonly byMs: number | undefined })[];
  readonly park: readonly (DeliveredRange & { readonly reason: string })[];
  readonly release: readonly DeliveredRange[];
}

/** What is settled of what a consumer said. */
export interface Confirmed {
  readonly acknowledged: readonly OffsetRange[];
  readonly rejected: readonly OffsetRange[];
  readonly parked: readonly OffsetRange[];
  readonly extended: readonly OffsetRange[];
  readonly released: readonly OffsetRange[];
  /** What it does not have, by the attempt that a verdict named, or that was taken off it unasked. */
  readonly stale: readonly DeliveredRange[];
}

export type ConsumeEvent =
  | {
      readonly kind: "started";
      /** 0: ephemeral. */
      readonly session: number;
      readonly cursor: Position;
      readonly window: Window;
      readonly ackDeadlineMs: number;
      readonly sharing: Sharing;
    }
  | { readonly kind: "window-changed"; readonly window: Window }
  | {
      readonly kind: "heartbeat";
      readonly waiting: ConsumerWaiting;
      readonly outstandingRecords: number;
      readonly outstandingBytes: number;
      readonly window: Window;
      readonly cursor: Position;
      readonly nextOffset: number;
      readonly retryRecords: number;
    }
  | { readonly kind: "skipped"; readonly firstOffset: number; readonly nextOffset: number }
  | { readonly kind: "closed" };

/** One message to a consumer. The generator is resumed when the transport took it: then the deadlines begin. */
export interface ConsumeMessage {
  /** Frames; neighbours are one run. Views of shared pages: never written to. */
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  /** 0 without records. */
  readonly attempt: number;
  readonly confirmed: Confirmed | undefined;
  readonly event: ConsumeEvent | undefined;
}
