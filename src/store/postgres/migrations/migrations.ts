import { createTables } from "./001-create-tables.js";
import { addState } from "./002-add-state.js";
import { addPlaces } from "./003-add-places.js";
import { buildStates } from "./004-build-states.js";
import { addRetention } from "./005-add-retention.js";
import { addSubscriptions } from "./006-add-subscriptions.js";
import { addAttempts } from "./007-add-attempts.js";
import { groupRetries } from "./008-group-retries.js";
import { logAsBlocks } from "./009-log-as-blocks.js";
import { insertSettlements } from "./010-insert-settlements.js";
import type { Migration } from "./migration.js";

/** All migrations, listed by hand and in order. The number of the newest is the schema's version. */
export const migrations: readonly Migration[] = [
  createTables,
  addState,
  addPlaces,
  buildStates,
  addRetention,
  addSubscriptions,
  addAttempts,
  groupRetries,
  logAsBlocks,
  insertSettlements,
];
