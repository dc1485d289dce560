/**
 * Listens to notices of what Commits on other nodes settled of this node's records: so the next record of a key does not wait
 * for the deadline of the one before. A notice may get lost; then `SettledLookups` finds in the claims what was settled.
 */

import type { ClaimStore, ListenSettledHandlers } from "../../store/index.js";
import { trackTasks } from "../../streams/index.js";
import type { Logger } from "../../telemetry/index.js";

export interface SettledNoticesParts {
  readonly store: Pick<ClaimStore, "listenSettled">;
  readonly logger: Logger;
  readonly handlers: ListenSettledHandlers;
}

export interface SettledNotices {
  /** Listens, if it does not yet. */
  open(): void;
  /** Stops, and ends its connection. */
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
