/**
 * Hears what Commits on other nodes settled of this node's records, while it holds any: so the next record of a key does not
 * wait for the deadline of the one before. A notice may get lost; then the claims themselves are asked.
 */

import type { ClaimStore, ListenSettledHandlers } from "../../store/index.js";
import { trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { Group } from "./group.js";

export interface SettledNoticesParts {
  readonly store: Pick<ClaimStore, "listenSettled">;
  readonly logger: Logger;
  readonly handlers: ListenSettledHandlers;
}

export interface SettledNotices {
  /** Listens, if it does not. */
  open(): void;
  /** Ends its connection. */
  close(): Promise<void>;
}

export function createSettledNotices({ store, logger, handlers }: SettledNoticesParts): SettledNotices {
  const listening = trackTasks((error) => logger.error({ err: error }, "hearing of other nodes' commits failed"));
  let end: AbortController | undefined;
  return {
    open() {
      if (end !== undefined) return;
      end = new AbortController();
      listening.track(store.listenSettled(handlers, end.signal));
    },
    async close() {
      end?.abort();
      end = undefined;
      await listening.settled();
    },
  };
}

/** Asks the claims which outstanding records somebody else settled, and takes those off their consumers. */
export async function takeSettled(
  lanes: DatabaseLanes,
  group: Group,
  holder: { readonly subscriptionId: number; readonly session: number },
  signal?: AbortSignal,
): Promise<void> {
  const claims = group.outstanding();
  if (claims.length === 0) return;
  const { subscriptionId, session } = holder;
  const settled = await lanes.run("live", (store) => store.findSettled({ subscriptionId, session, claims }), signal);
  for (const { claimId, ranges } of settled) group.settledOf(claimId, ranges);
}
