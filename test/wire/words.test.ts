import { describe, expect, test } from "vitest";
import {
  ExplainFilterRequest_Method,
  FilterPart_Place,
  LiveStream_Waiting,
  Queue_Kind,
} from "../../src/gen/millrace/v1/inspect_service.js";
import { Skipped_Reason, Trimmed_Policy } from "../../src/gen/millrace/v1/record.js";
import {
  FollowRequest_WhenBehind,
  FollowResponse_Heartbeat_Waiting,
  ReadRequest_Direction,
} from "../../src/gen/millrace/v1/record_service.js";
import {
  ConsumeResponse_Heartbeat_Waiting,
  Subscription_Sharing,
} from "../../src/gen/millrace/v1/subscription_service.js";
import {
  decodeConsumerWaiting,
  decodedDirection,
  decodedFilteredMethod,
  decodedFilterPlace,
  decodedQueueKind,
  decodedSharing,
  decodedWhenBehind,
  decodedWhenTrimmed,
  decodeFollowWaiting,
  decodeLiveStreamWaiting,
  decodeSkippedReason,
  encodedConsumerWaiting,
  encodedDirection,
  encodedFilteredMethod,
  encodedFilterPlace,
  encodedFollowWaiting,
  encodedLiveStreamWaiting,
  encodedQueueKind,
  encodedSharing,
  encodedSkippedReason,
  encodedWhenBehind,
  encodedWhenTrimmed,
} from "../../src/wire/index.js";

interface Words {
  readonly generated: Readonly<Record<string, string | number>>;
  readonly encoded: Readonly<Record<string, number>>;
  readonly decode: (number: number) => string | undefined;
  /** What an unset field means. */
  readonly unset: string | undefined;
  /** What a number of a newer program means. */
  readonly unknown: string | undefined;
}

const all: Readonly<Record<string, Words>> = {
  "consumer waiting": {
    generated: ConsumeResponse_Heartbeat_Waiting,
    encoded: encodedConsumerWaiting,
    decode: decodeConsumerWaiting,
    unset: "nothing",
    unknown: "nothing",
  },
  "live stream waiting": {
    generated: LiveStream_Waiting,
    encoded: encodedLiveStreamWaiting,
    decode: decodeLiveStreamWaiting,
    unset: "nothing",
    unknown: "nothing",
  },
  "follow waiting": {
    generated: FollowResponse_Heartbeat_Waiting,
    encoded: encodedFollowWaiting,
    decode: decodeFollowWaiting,
    unset: "new-records",
    unknown: "new-records",
  },
  sharing: {
    generated: Subscription_Sharing,
    encoded: encodedSharing,
    decode: (number) => decodedSharing.get(number),
    unset: "shared",
    unknown: undefined,
  },
  direction: {
    generated: ReadRequest_Direction,
    encoded: encodedDirection,
    decode: (number) => decodedDirection.get(number),
    unset: "forward",
    unknown: undefined,
  },
  "when trimmed": {
    generated: Trimmed_Policy,
    encoded: encodedWhenTrimmed,
    decode: (number) => decodedWhenTrimmed.get(number),
    unset: "fail",
    unknown: undefined,
  },
  "when behind": {
    generated: FollowRequest_WhenBehind,
    encoded: encodedWhenBehind,
    decode: (number) => decodedWhenBehind.get(number),
    unset: "catch-up",
    unknown: undefined,
  },
  "skipped reason": {
    generated: Skipped_Reason,
    encoded: encodedSkippedReason,
    decode: decodeSkippedReason,
    unset: "trimmed",
    unknown: "trimmed",
  },
  "filtered method": {
    generated: ExplainFilterRequest_Method,
    encoded: encodedFilteredMethod,
    decode: (number) => decodedFilteredMethod.get(number),
    unset: "read",
    unknown: undefined,
  },
  "filter place": {
    generated: FilterPart_Place,
    encoded: encodedFilterPlace,
    decode: (number) => decodedFilterPlace.get(number),
    unset: undefined,
    unknown: undefined,
  },
  "queue kind": {
    generated: Queue_Kind,
    encoded: encodedQueueKind,
    decode: (number) => decodedQueueKind.get(number),
    unset: undefined,
    unknown: undefined,
  },
};

for (const [name, { generated, encoded, decode, unset, unknown }] of Object.entries(all)) {
  describe(`the words of ${name}`, () => {
    test("decode to themselves", () => {
      for (const [word, number] of Object.entries(encoded)) expect(decode(number)).toBe(word);
    });

    test("are as many as the enum's values, but for the unspecified one", () => {
      const values = Object.values(generated).filter((value) => typeof value === "number" && value > 0);
      const words = Object.values(encoded).filter((number) => number > 0);
      expect(words.toSorted()).toEqual(values.toSorted());
    });

    test("say what an unset field and an unknown value mean", () => {
      expect(decode(0)).toBe(unset);
      expect(decode(1_000)).toBe(unknown);
    });
  });
}
