/**
 * Pages are earned: a stream that has delivered much gets large pages, and a stalled stream holds little memory
 * (invariant 4). What streams hold above the smallest page comes out of one budget of the node. When that is used up, a
 * stream gets a smaller page but never waits: readers must not stall each other.
 */

import type { Limits } from "../../core/index.js";

/** A page's size is this part of what its stream has delivered. */
const earnedPart = 16;

/** The room of one page, from its read until it was delivered. */
export interface PageGrant {
  readonly bytes: number;
  /** Only the first call has an effect. */
  release(): void;
}

export interface PageAllowance {
  /** The stream has delivered this many bytes. */
  delivered(bytes: number): void;
  /** Room for the next page. Never waits. */
  take(): PageGrant;
  /** Whether the stream has earned more than the smallest page. Only then is the next page read ahead. */
  readonly isEarned: boolean;
}

export interface PageBudget {
  /** Bytes that streams hold above the smallest page. */
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
