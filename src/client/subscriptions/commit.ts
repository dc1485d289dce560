import { invalidArgument, RangeSet } from "../../core/index.js";
import {
  CommitRequest,
  type CommitRequest_Delivered as Delivered,
  CommitRequest_Output,
  type CommitResponse,
  SubscriptionServiceService,
} from "../../gen/millrace/v1/subscription_service.js";
import { varintLength, writeVarint } from "../../wire/index.js";
import { clientError, errorOfRefusal } from "../client-error.js";
import type { Connection, MethodShape, UnaryOptions } from "../connection.js";
import { encodeRecords } from "../outgoing-batch.js";
import { wholeNumber } from "../start.js";
import type { Delivery, DeliveryBatch } from "./delivery.js";
import { Held } from "./held.js";
import type { CommittedOutput, Output } from "./output.js";

/** What to acknowledge and what to append, in one transaction. */
export interface Commitment {
  /** Unsettled deliveries of one consumption: at least one, up to 10,000 records together. */
  readonly deliveries: readonly (Delivery | DeliveryBatch)[];
  /** Up to 100 outputs, with up to 1000 records and 1 MiB together. */
  readonly append: readonly Output[];
}

/** The same, once it is known that all deliveries are this client's. */
interface HeldCommitment {
  readonly subscription: string;
  readonly held: readonly Held[];
  readonly append: readonly Output[];
}

/** `repeated Output append = 4`. */
const appendTag = 0x22;

/** The request is encoded here, not by the generated code. */
const commitShape: MethodShape<Buffer, CommitResponse> = {
  ...SubscriptionServiceService.commit,
  requestSerialize: (request) => request,
};

/**
 * Acknowledges deliveries and appends records to any topics, in one transaction: all of it, or nothing. It is not
 * retried. When the outcome is unknown, the records are redelivered only if nothing was committed.
 */
export async function commitDeliveries(
  connection: Connection,
  { subscription, deliveries, append }: Commitment & { readonly subscription: string },
  options?: UnaryOptions,
): Promise<readonly CommittedOutput[]> {
  const held = deliveries.map((delivery, index) => {
    if (delivery instanceof Held) return delivery;
    throw errorOfRefusal(invalidArgument(`deliveries[${index}]`, "must be a delivery of a consumption"));
  });
  return commitHeld(connection, { subscription, held, append }, options);
}

export async function commitHeld(
  connection: Connection,
  commitment: HeldCommitment,
  options?: UnaryOptions,
): Promise<readonly CommittedOutput[]> {
  const { held } = commitment;
  const request = encodeRequest(commitment);
  for (const each of held) each.beginCommit();
  try {
    const { appended } = await connection.unary(commitShape, request, options);
    for (const each of held) each.endCommit(undefined);
    return appended;
  } catch (error) {
    for (const each of held) each.endCommit({ error });
    throw error;
  }
}

function encodeRequest({ subscription, held, append }: HeldCommitment): Buffer {
  const session = sessionOf(subscription, held);
  const acknowledge: Delivered[] = [];
  for (const each of held) {
    const ranges = new RangeSet();
    each.addTo(ranges);
    for (const offsets of ranges) acknowledge.push({ offsets, attempt: each.attempt });
  }
  const head = CommitRequest.encode({ subscription, session, acknowledge: merged(acknowledge), append: [] }).finish();
  const parts: Uint8Array[] = [head];
  for (const [index, output] of append.entries()) parts.push(...encodeOutput(output, `append[${index}]`));
  return Buffer.concat(parts);
}

/** The session of all deliveries: a Commit belongs to one session of one subscription. Throws what the server would. */
function sessionOf(subscription: string, held: readonly Held[]): number {
  const [first] = held;
  if (first === undefined) throw errorOfRefusal(invalidArgument("acknowledge", "must name at least one record"));
  const { session } = first.call;
  for (const each of held) {
    each.checkCommit();
    if (each.call.subscription === "") {
      const text = "Cannot commit deliveries of an ephemeral consumer: it has no subscription";
      throw clientError("FAILED_PRECONDITION", text);
    }
    if (each.call.subscription !== subscription) {
      const text = `must be of subscription "${subscription}", but one is of "${each.call.subscription}"`;
      throw errorOfRefusal(invalidArgument("acknowledge", text));
    }
    if (each.call.session !== session) {
      throw errorOfRefusal(
        invalidArgument("acknowledge", "must be of one session: these came through different nodes"),
      );
    }
  }
  return session;
}

/** Merges adjacent ranges of the same attempt. */
function merged(delivered: Delivered[]): Delivered[] {
  delivered.sort((a, b) => (a.offsets?.firstOffset ?? 0) - (b.offsets?.firstOffset ?? 0));
  const runs: Delivered[] = [];
  for (const { offsets, attempt } of delivered) {
    const last = runs.at(-1);
    if (last?.offsets !== undefined && last.attempt === attempt && last.offsets.nextOffset === offsets?.firstOffset) {
      last.offsets.nextOffset = offsets.nextOffset;
    } else runs.push({ offsets, attempt });
  }
  return runs;
}

function* encodeOutput(output: Output, path: string): Generator<Uint8Array, void> {
  const { topic, records, expectedOffset, epoch = 0 } = output;
  const head = CommitRequest_Output.encode({
    topic,
    records: [],
    expectedOffset: expectedOffset === undefined ? undefined : wholeNumber(expectedOffset, `${path}.expected_offset`),
    epoch: wholeNumber(epoch, `${path}.epoch`),
  }).finish();
  // `records` has the same field number in Output and in AppendRequest.
  const fields = encodeRecords(records, `${path}.records`);
  const length = head.length + fields.length;
  const opening = Buffer.alloc(1 + varintLength(length));
  opening[0] = appendTag;
  writeVarint(opening, 1, length);
  yield opening;
  yield head;
  yield fields;
}
