import type { ConsumerWaiting, Position, Start, OffsetRange, Sharing, Window } from "../../../core/index.js";

/** A Consume call as DescribeSubscription shows it. Nodes pass it to each other as JSON. */
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
  /** A consumer of a topic that keeps nothing. `start` undefined: `latest`. */
  | { readonly kind: "ephemeral"; readonly topic: string; readonly start: Start | undefined }
);

/** Records as they were delivered. */
export interface DeliveredRange {
  /** Not empty. It may reach beyond the records that there are. */
  readonly range: OffsetRange;
  /** The attempt that is meant; 0: any. Records that were delivered by another attempt are `stale`. */
  readonly attempt: number;
}

/** What a consumer says after its opening. */
export interface ConsumerRequest {
  readonly window: Window | undefined;
  readonly acknowledge: readonly DeliveredRange[];
  /** All records that were delivered so far, up to and including this offset. */
  readonly acknowledgeThrough: number | undefined;
  /** `delayMs` undefined: by the backoff of the subscription. */
  readonly reject: readonly (DeliveredRange & { readonly delayMs: number | undefined; readonly reason: string })[];
  /** `byMs` undefined: the subscription's deadline. */
  readonly extend: readonly (DeliveredRange & { readonly byMs: number | undefined })[];
  readonly park: readonly (DeliveredRange & { readonly reason: string })[];
  readonly release: readonly DeliveredRange[];
}

/** Which verdicts of a consumer hold. */
export interface Confirmed {
  readonly acknowledged: readonly OffsetRange[];
  readonly rejected: readonly OffsetRange[];
  readonly parked: readonly OffsetRange[];
  readonly extended: readonly OffsetRange[];
  readonly released: readonly OffsetRange[];
  /** Verdicts on records that it does not have by the attempt named, and deliveries that were taken off it unasked. */
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

/** A message to a consumer. The generator is resumed when the transport took it: then the deadlines begin. */
export interface ConsumeMessage {
  /** Frames; those that stand side by side are one run. They are views of shared pages: never write to them. */
  readonly runs: readonly Uint8Array[];
  readonly records: number;
  /** 0 without records. */
  readonly attempt: number;
  readonly confirmed: Confirmed | undefined;
  readonly event: ConsumeEvent | undefined;
}
