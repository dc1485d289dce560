/**
 * The store's operations, each under its name in the interface. Their first parameter is the database, which
 * `open-postgres-store.ts` binds.
 */

export { closeTopic } from "./topics/close-topic.js";
export { createTopic, createTopics } from "./topics/create-topic.js";
export { deleteTopic } from "./topics/delete-topic.js";
export { findTopic, findTopics } from "./topics/find-topic.js";
export { listTopics } from "./topics/list-topics.js";
export { readHeads } from "./topics/read-heads.js";
export { renewEpoch } from "./topics/renew-epoch.js";
export { trimTopic } from "./topics/trim-topic.js";
export { updateTopic } from "./topics/update-topic.js";

export { readAtTime } from "./log/read-at-time.js";
export { readFirstFrames } from "./log/read-first-frames.js";
export { readFrames } from "./log/read-frames.js";
export { readPage } from "./log/read-page.js";
export { readView } from "./log/read-view.js";
export { searchPage } from "./log/search-page.js";

export { buildState, findBuilds } from "./state/build-state.js";
export { listState, readState, readStateChanges } from "./state/read-state.js";
export { searchState } from "./state/search-state.js";

export { createSubscription } from "./subscriptions/create-subscription.js";
export { deleteSubscription } from "./subscriptions/delete-subscription.js";
export { discardParked } from "./subscriptions/discard-parked.js";
export { findSubscription } from "./subscriptions/find-subscription.js";
export { listParked } from "./subscriptions/list-parked.js";
export { listSubscriptions } from "./subscriptions/list-subscriptions.js";
export { readProgress } from "./subscriptions/read-progress.js";
export { redriveParked } from "./subscriptions/redrive-parked.js";
export { seekSubscription } from "./subscriptions/seek-subscription.js";
export { takeTicket } from "./subscriptions/take-ticket.js";
export { updateSubscription } from "./subscriptions/update-subscription.js";

export { closeSession } from "./sessions/close-session.js";
export { endExpiredSessions } from "./sessions/end-expired-sessions.js";
export { leaveSubscription } from "./sessions/leave-subscription.js";
export { openSession } from "./sessions/open-session.js";
export { renewSession } from "./sessions/renew-session.js";
export { syncSubscription } from "./sessions/sync-subscription.js";

export { claimBlock } from "./claims/claim-block.js";
export { findSettled } from "./claims/find-settled.js";
export { readRetries } from "./claims/read-retries.js";
export { readRetryFrames } from "./claims/read-retry-frames.js";
export { releaseClaims } from "./claims/release-claims.js";
export { settle } from "./claims/settle.js";
export { announceSettled, listenSettled } from "./claims/settled-notices.js";
export { splitClaim } from "./claims/split-claim.js";
export { takeClaims } from "./claims/take-claims.js";

export { applyRetention } from "./upkeep/apply-retention.js";
export { deleteIdleProducers } from "./upkeep/delete-idle-producers.js";
export { deleteOrphans } from "./upkeep/delete-orphans.js";
export { findExpiring } from "./upkeep/find-expiring.js";
export { findOldestSnapshot } from "./upkeep/find-oldest-snapshot.js";
export { findOverdue } from "./upkeep/find-overdue.js";
export { findTrimmed } from "./upkeep/find-trimmed.js";
export { findUnmerged } from "./upkeep/merge-blocks.js";
export { findOldTombstones, purgeTombstones } from "./upkeep/purge-tombstones.js";
export { reclaimBlocks, reclaimSpace } from "./upkeep/reclaim-space.js";

export { explain } from "./explain.js";
export { now } from "./read-clock.js";
