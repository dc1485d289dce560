/**
 * Divides the records of a page between the claims that have not read them yet. Each record becomes ready, or is passed
 * over where it has expired. In KEYED a record belongs to the claim of its key's slot, and the other claims pass it over.
 */

import type { Sharing } from "../../../core/index.js";
import { slotOf, StoredRecord } from "../../../wire/index.js";
import { chooseFrames } from "../../reading/frame-choice.js";
import type { StampClock } from "../../topics/stamp-clock.js";
import type { Topic } from "../../topics/topic.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import type { Claim } from "../records/claim.js";
import type { HeldClaims } from "../records/held-claims.js";
import type { RecentPage } from "../records/recent-frames.js";
import { step, unread } from "../records/record-life.js";
import type { ReadyRun } from "../records/record-run.js";
import type { SettleWriter } from "../settling/settle-writer.js";

export interface PageDivisionParts {
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly claims: Pick<HeldClaims, "holds">;
  readonly ready: Pick<ReadyRecords, "add">;
  readonly writer: Pick<SettleWriter, "pass">;
  readonly stampClock: StampClock;
}

/** The claim of a slot, and the offset below which the page's records are its own or passed over. */
interface SlotReading {
  readonly claim: Claim;
  passedTo: number;
}

/** The state of a record that was just read. */
const fresh = step(unread, { type: "read" });

/** `reading`: the claims that read the page. */
export function dividePage(parts: PageDivisionParts, recent: RecentPage, reading: ReadonlySet<Claim>): void {
  const { topic, claims, ready, writer, stampClock } = parts;
  const { firstOffset: first, page, ends } = recent;
  const buffer = Buffer.from(page.buffer, page.byteOffset, page.length);
  const keep = chooseFrames(undefined, topic, stampClock);
  const record = new StoredRecord();
  const slots = parts.sharing === "keyed" ? slotsOf(claims, reading, first) : undefined;
  let claim: Claim | undefined;
  let run: ReadyRun | undefined;
  for (let index = 0; index < ends.length; index++) {
    const offset = first + index;
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    const end = ends[index] as number;
    const keyQueue = slots === undefined ? undefined : record.walk(buffer, start, end).keyQueue;
    if (slots !== undefined) claim = claimOfSlot(slots.get(slotOf(keyQueue, offset)), offset, writer);
    else if (claim?.unread.has(offset) !== true) claim = claimOf(claims, reading, offset);
    if (claim?.unread.has(offset) !== true) continue;
    if (keep !== undefined && !keep(buffer, start, end)) {
      writer.pass(claim, offset, offset + 1);
      continue;
    }
    if (run?.claim === claim && run.nextOffset === offset && keyQueue === undefined && run.keyQueue === undefined) {
      run.nextOffset = offset + 1;
      continue;
    }
    if (run !== undefined) ready.add(run);
    const frames = { page, ends, at: index };
    run = { claim, firstOffset: offset, nextOffset: offset + 1, keyQueue, state: fresh, frames };
  }
  if (run !== undefined) ready.add(run);
  const next = first + ends.length;
  for (const slot of slots?.values() ?? []) writer.pass(slot.claim, slot.passedTo, next);
  for (const { unread: offsets } of reading) offsets.delete(first, next);
}

/** The claims of a KEYED subscription that read a page, by their slot. */
function slotsOf(
  claims: PageDivisionParts["claims"],
  reading: ReadonlySet<Claim>,
  first: number,
): Map<number, SlotReading> {
  const slots = new Map<number, SlotReading>();
  for (const claim of reading) {
    if (claim.kind === "slot" && !claim.isLeaving && claims.holds(claim)) {
      slots.set(claim.slot, { claim, passedTo: first });
    }
  }
  return slots;
}

/** The claim of a record's slot, which passes over everything since its last record: that belongs to other slots. */
function claimOfSlot(
  slot: SlotReading | undefined,
  offset: number,
  writer: PageDivisionParts["writer"],
): Claim | undefined {
  if (slot === undefined) return undefined;
  writer.pass(slot.claim, slot.passedTo, offset);
  slot.passedTo = offset + 1;
  return slot.claim;
}

function claimOf(claims: PageDivisionParts["claims"], reading: ReadonlySet<Claim>, offset: number): Claim | undefined {
  for (const claim of reading) {
    if (!claim.isLeaving && claims.holds(claim) && claim.unread.has(offset)) return claim;
  }
  return undefined;
}
