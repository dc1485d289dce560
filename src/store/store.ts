/**
 * What the engine needs of a database. One implementation, `postgres/`, serves Postgres and PGlite; one conformance suite
 * (`test/store`) holds both against the contracts of its two halves.
 */

import type { SubscriptionStore } from "./subscription-store.js";
import type { TopicStore } from "./topic-store.js";

export interface Store extends TopicStore, SubscriptionStore {}
