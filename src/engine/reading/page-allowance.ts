/**
 * Pages are earned: a stream that has delivered much gets large pages, a stalled one pins little (invariant 4). What
 * streams hold above the smallest page comes out of one budget for the node, and a stream gets less, never a wait, when
 * that is used up: readers must not stall each other.
 */

import type { Limits } from "../../core/index.js";

/** A page's size is this part of what its stream has delivered. */
const earnedPart = 16;

/** What one stream may hold; one for each page that is read or on its way to the client. */
export interface PageGrant {
  readonly bytes: number;
  /** Every call after the first does nothing. */
  release(): void;
}

export interface PageAllowance {
  /** The stream delivered so many bytes. */
  delivered(bytes: number): void;
  /** Room for the next page. Never waits. */
  take(): PageGrant;
  /** Whether the stream has earned more than the smallest page: then the next page may be fetched ahead. */
  readonly isEarned: boolean;
}

export interface PageBudget {
  /** Bytes that streams hold above the smallest page each. */
  readonly bytes: number;
  forStream(): PageAllowance;
}

export function createPageBudget(
  limits: Pick<Limits, "pageBytesMin" | "pageBytesMax" | "pageBudgetBytes">,
): PageBudget {
  let used = 0;
  return {
    get bytes() {
      return used;
    },
    forStream() {
      let deliveredBytes = 0;
      const wanted = () =>
        Math.min(limits.pageBytesMax, Math.max(limits.pageBytesMin, Math.floor(deliveredBytes / earnedPart)));
      return {
        delivered(bytes) {
          deliveredBytes += bytes;
        },
        take() {
          const extra = Math.max(0, Math.min(wanted() - limits.pageBytesMin, limits.pageBudgetBytes - used));
          used += extra;
          let isHeld = true;
          return {
            bytes: limits.pageBytesMin + extra,
            release() {
              if (isHeld) used -= extra;
              isHeld = false;
            },
          };
        },
        get isEarned() {
          return wanted() > limits.pageBytesMin;
        },
      };
    },
  };
}
