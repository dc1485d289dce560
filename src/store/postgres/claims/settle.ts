import { RangeSet, type OffsetRange } from "../../../core/index.js";
import type { RetryWrite, SettleOutcome, SettleWrite } from "../../claim-store.js";
import type { Database, Connection } from "../database/database.js";
import { lockHeldClaims } from "./lock-held-claims.js";
import { rangesOf } from "./offset-ranges.js";
import { parkRecords } from "./park-records.js";
import { type ClaimWrite, type SettledClaim, settleClaims } from "./settle-claims.js";

/** What to write for each claim, while it is collected. */
interface GatheredClaim extends ClaimWrite {
  readonly settled: OffsetRange[];
  readonly settledRetries: OffsetRange[];
  readonly retries: RetryWrite[];
}

type Claims = ReadonlyMap<number, GatheredClaim>;

/** Writes verdicts in one statement; where records are parked, in a transaction under the locks of all claims. */
export async function settle(database: Database, write: SettleWrite): Promise<SettleOutcome> {
  const claims = claimsOf(write);
  if (write.parked.length > 0) return database.transaction((connection) => settleAndPark(connection, write, claims));
  if (claims.size === 0) return { lostClaims: [], settledElsewhere: [] };
  const held = await settleClaims(database, holderOf(write, write.folds), claims);
  return outcomeOf(claims, held, new RangeSet());
}

const holderOf = ({ subscriptionId, session }: SettleWrite, folds: boolean) => ({ subscriptionId, session, folds });

function claimsOf(write: SettleWrite): Claims {
  const claims = new Map<number, GatheredClaim>();
  const of = (claimId: number): GatheredClaim => {
    const known = claims.get(claimId) ?? { settled: [], settledRetries: [], retries: [] };
    claims.set(claimId, known);
    return known;
  };
  for (const { claimId, ranges } of write.settled) {
    const { settled } = of(claimId);
    for (const range of ranges) settled.push(range);
  }
  for (const { claimId, ranges } of write.settledRetries) {
    const { settledRetries } = of(claimId);
    for (const range of ranges) settledRetries.push(range);
  }
  for (const retry of write.retries) of(retry.claimId).retries.push(retry);
  for (const { claimId } of write.parked) of(claimId);
  return claims;
}

/** Statements after the lock see what it waited for. All that they change is only changed under these locks. */
async function settleAndPark(connection: Connection, write: SettleWrite, claims: Claims): Promise<SettleOutcome> {
  const asked = new Map<number, OffsetRange[]>([...claims.keys()].map((claimId) => [claimId, []]));
  for (const { claimId, offset } of write.parked) asked.get(claimId)?.push(...rangesOf([offset]));
  const locked = await lockHeldClaims(connection, write, asked);
  for (const [claimId, { settled }] of claims) {
    for (const { firstOffset, nextOffset } of settled) locked.get(claimId)?.delete(firstOffset, nextOffset);
  }
  const parked = write.parked.filter(({ claimId, offset }) => locked.get(claimId)?.has(offset) === true);
  if (parked.length > 0) await parkRecords(connection, write.subscriptionId, parked);
  for (const { claimId, offset } of parked) {
    claims.get(claimId)?.settled.push(...rangesOf([offset]));
    claims.get(claimId)?.settledRetries.push(...rangesOf([offset]));
  }
  const held = await settleClaims(connection, holderOf(write, true), claims);
  const elsewhere = new RangeSet();
  for (const { claimId, offset } of write.parked) {
    if (locked.get(claimId)?.has(offset) === false) elsewhere.add(offset, offset + 1);
  }
  return outcomeOf(claims, held, elsewhere);
}

/** Adds the offsets that were to be redelivered but were missing to `elsewhere`. */
function outcomeOf(claims: Claims, held: ReadonlyMap<number, SettledClaim>, elsewhere: RangeSet): SettleOutcome {
  const lostClaims: number[] = [];
  for (const claimId of claims.keys()) {
    const claim = held.get(claimId);
    if (claim === undefined) lostClaims.push(claimId);
    else for (const { firstOffset, nextOffset } of claim.missing) elsewhere.add(firstOffset, nextOffset);
  }
  return { lostClaims, settledElsewhere: [...elsewhere] };
}
