import type { OffsetRange } from "../../../core/index.js";
import type { SettleOutcome, SettleWrite } from "../../subscription-store.js";
import type { Database, Session } from "../database/database.js";
import { lockHeldClaims } from "./lock-held-claims.js";
import { rangesOf } from "./offset-ranges.js";
import { parkRecords } from "./park-records.js";
import { settleClaims } from "./settle-claims.js";
import { writeRetries } from "./write-retries.js";

/** Offsets of several claims, each claim once. */
type ByClaim = Map<number, OffsetRange[]>;

function addTo(claims: ByClaim, claimId: number, ranges: Iterable<OffsetRange>): void {
  const known = claims.get(claimId);
  if (known === undefined) claims.set(claimId, [...ranges]);
  else known.push(...ranges);
}

/** What became of records. With `settled` alone it is one statement; else a transaction under the locks of all claims. */
export async function settle(database: Database, write: SettleWrite): Promise<SettleOutcome> {
  const settled: ByClaim = new Map();
  for (const { claimId, ranges } of write.settled) addTo(settled, claimId, ranges);
  if (write.retries.length > 0 || write.parked.length > 0) {
    return database.transaction((session) => settleAll(session, write, settled));
  }
  if (settled.size === 0) return { lostClaims: [], settledElsewhere: [], gone: [] };
  const held = await settleClaims(database, holderOf(write), settled, write.settledRetries);
  return { lostClaims: [...settled.keys()].filter((id) => !held.has(id)), settledElsewhere: [], gone: [] };
}

const holderOf = ({ subscriptionId, session }: SettleWrite) => ({ subscriptionId, session });

/** The statements after the lock see what it waited for; and all that they change is only changed under these locks. */
async function settleAll(session: Session, write: SettleWrite, settled: ByClaim): Promise<SettleOutcome> {
  const { subscriptionId } = write;
  const asked: ByClaim = new Map([...settled.keys()].map((claimId) => [claimId, []]));
  for (const { claimId, offset } of [...write.retries, ...write.parked]) addTo(asked, claimId, rangesOf([offset]));
  const held = await lockHeldClaims(session, holderOf(write), asked);
  for (const [claimId, ranges] of settled) {
    for (const { firstOffset, nextOffset } of ranges) held.get(claimId)?.delete(firstOffset, nextOffset);
  }

  const isPresent = ({ claimId, offset }: { claimId: number; offset: number }) =>
    held.get(claimId)?.has(offset) === true;
  const retries = write.retries.filter(isPresent);
  const parked = write.parked.filter(isPresent);
  const gone = parked.length === 0 ? [] : await parkRecords(session, subscriptionId, parked);
  if (retries.length > 0) await writeRetries(session, subscriptionId, retries);
  for (const { claimId, offset } of parked) addTo(settled, claimId, rangesOf([offset]));
  if (settled.size > 0) {
    const forgotten = [...write.settledRetries, ...parked.map(({ offset }) => offset)];
    await settleClaims(session, holderOf(write), settled, forgotten);
  }
  return {
    lostClaims: [...asked.keys()].filter((claimId) => !held.has(claimId)),
    settledElsewhere: [...write.retries, ...write.parked]
      .filter((record) => held.has(record.claimId) && !isPresent(record))
      .map(({ offset }) => offset),
    gone,
  };
}
