import type { SubscriptionStore } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import type { LogShape } from "../log-shape.js";
import { claimBlock } from "../claims/claim-block.js";
import { closeSession } from "../sessions/close-session.js";
import { commit } from "../claims/commit.js";
import { createSubscription } from "./create-subscription.js";
import { deleteSubscription } from "./delete-subscription.js";
import { discardParked } from "./discard-parked.js";
import { endExpiredSessions } from "../sessions/end-expired-sessions.js";
import { findSettled } from "../claims/find-settled.js";
import { findSubscription } from "./find-subscription.js";
import { leaveSubscription } from "../sessions/leave-subscription.js";
import { listParked } from "./list-parked.js";
import { listSubscriptions } from "./list-subscriptions.js";
import { openSession } from "../sessions/open-session.js";
import { readProgress } from "./read-progress.js";
import { readRetries } from "../claims/read-retries.js";
import { readRetryFrames } from "../claims/read-retry-frames.js";
import { redriveParked } from "./redrive-parked.js";
import { releaseClaims } from "../claims/release-claims.js";
import { renewSession } from "../sessions/renew-session.js";
import { seekSubscription } from "./seek-subscription.js";
import { settle } from "../claims/settle.js";
import { announceSettled, listenSettled } from "../claims/settled-notices.js";
import { splitClaim } from "../claims/split-claim.js";
import { syncSubscription } from "../sessions/sync-subscription.js";
import { takeClaims } from "../claims/take-claims.js";
import { takeTicket } from "./take-ticket.js";
import { updateSubscription } from "./update-subscription.js";

/** The half of the store that keeps subscriptions. */
export function subscriptionStoreOn(database: Database, shape: LogShape): SubscriptionStore {
  return {
    createSubscription: (subscription) => createSubscription(database, subscription),
    findSubscription: (name) => findSubscription(database, name),
    listSubscriptions: (request) => listSubscriptions(database, request),
    updateSubscription: (subscriptionId, change) => updateSubscription(database, subscriptionId, change),
    deleteSubscription: (subscriptionId) => deleteSubscription(database, subscriptionId),
    seekSubscription: (subscriptionId, epoch, offset) => seekSubscription(database, subscriptionId, epoch, offset),
    takeTicket: (subscriptionId) => takeTicket(database, subscriptionId),
    readProgress: (subscriptionId) => readProgress(database, subscriptionId),
    openSession: (session, node, leaseMs) => openSession(database, session, node, leaseMs),
    renewSession: (session, leaseMs) => renewSession(database, session, leaseMs),
    closeSession: (session) => closeSession(database, session),
    endExpiredSessions: () => endExpiredSessions(database),
    syncSubscription: (subscriptionId, member) => syncSubscription(database, subscriptionId, member),
    leaveSubscription: (subscriptionId, session) => leaveSubscription(database, subscriptionId, session),
    takeClaims: (subscriptionId, session, generation, claimIds) =>
      takeClaims(database, subscriptionId, session, generation, claimIds),
    claimBlock: (request) => claimBlock(database, request),
    splitClaim: (subscriptionId, session, claimId, offset) =>
      splitClaim(database, subscriptionId, session, claimId, offset),
    releaseClaims: (subscriptionId, session, claimIds) => releaseClaims(database, subscriptionId, session, claimIds),
    settle: (write) => settle(database, write),
    readRetries: (subscriptionId, claimIds) => readRetries(database, subscriptionId, claimIds),
    readRetryFrames: (subscriptionId, offsets) => readRetryFrames(database, subscriptionId, offsets),
    listParked: (request) => listParked(database, request),
    discardParked: (subscriptionId, offsets) => discardParked(database, subscriptionId, offsets),
    redriveParked: (write) => redriveParked(database, write),
    commit: (claim, topics) => commit(database, claim, topics, shape),
    announceSettled: (notice) => announceSettled(database, notice),
    listenSettled: (handlers, signal) => listenSettled(database, handlers, signal),
    findSettled: (subscriptionId, session, asked) => findSettled(database, subscriptionId, session, asked),
  };
}
