/**
 * Commit requests. The records of their outputs stay undecoded, like those of AppendRequest: an output's fields have
 * the same numbers.
 */

import { type BatchLimits, deliveryBounds, invalidArgument, type Limits, MillraceError } from "../../core/index.js";
import type { CommitCommand, CommittedOutput } from "../../engine/index.js";
import {
  CommitRequest,
  CommitRequest_Output,
  SubscriptionServiceService as Shapes,
} from "../../gen/millrace/v1/subscription_service.js";
import { batchBytes, splitField, splitRequest } from "../../wire/index.js";
import type { MethodShape } from "../method.js";
import { decodeRange } from "./offset-ranges.js";

/** `repeated Output append = 4` of CommitRequest. */
const append = { name: "append", number: 4, countMax: deliveryBounds.commitTopics };

type Output = CommitCommand["append"][number];

export function commitShape(limits: Limits): MethodShape<CommitCommand, readonly CommittedOutput[]> {
  return {
    path: Shapes.commit.path,
    requestDeserialize: (bytes) => decodeCommit(bytes, limits),
    responseSerialize: (outputs) => Shapes.commit.responseSerialize({ appended: [...outputs] }),
  };
}

export function decodeCommit(bytes: Uint8Array, limits: BatchLimits): CommitCommand {
  const { values, rest } = splitField(bytes, append);
  const { subscription, session, acknowledge } = CommitRequest.decode(rest);
  if (session === 0) throw invalidArgument("session", "is required: the event `started` of Consume gives it");
  return { subscription, session, acknowledge: decodeDelivered(acknowledge), append: decodeOutputs(values, limits) };
}

function decodeDelivered(delivered: CommitRequest["acknowledge"]): CommitCommand["acknowledge"] {
  return delivered.map(({ offsets, attempt }, index) => ({
    range: decodeRange(offsets, `acknowledge[${index}].offsets`),
    attempt,
  }));
}

function decodeOutputs(encoded: readonly Uint8Array[], limits: BatchLimits): readonly Output[] {
  let records = 0;
  let bytes = 0;
  return encoded.map((each, index) => {
    const output = decodeOutput(each, `append[${index}]`, limits);
    records += output.batch.ends.length;
    bytes += batchBytes(output.batch);
    checkTogether("records", records, { max: limits.batchRecords, setting: "MILLRACE_BATCH_RECORDS" });
    checkTogether("bytes", bytes, { max: limits.batchBytes, setting: "MILLRACE_BATCH_BYTES" });
    return output;
  });
}

function decodeOutput(bytes: Uint8Array, field: string, limits: BatchLimits): Output {
  const { batch, rest } = splitOutput(bytes, field, limits);
  const { topic, expectedOffset, epoch } = CommitRequest_Output.decode(rest);
  if (batch.ends.length === 0) throw invalidArgument(`${field}.records`, "at least one is required");
  return { topic, batch, expectedOffset, epoch };
}

/** Splits an output. A refusal of a record names a field of AppendRequest, so the output's path is put in front. */
function splitOutput(bytes: Uint8Array, field: string, limits: BatchLimits) {
  try {
    return splitRequest(bytes, limits);
  } catch (error) {
    const fault = error instanceof MillraceError ? error.violations[0] : undefined;
    if (fault?.field.startsWith("records") !== true) throw error;
    throw invalidArgument(`${field}.${fault.field}`, fault.description);
  }
}

function checkTogether(
  what: string,
  value: number,
  { max, setting }: { readonly max: number; readonly setting: string },
): void {
  if (value > max) throw invalidArgument("append", `at most ${max} ${what} are allowed together (${setting})`);
}
