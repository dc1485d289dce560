/**
 * The newest pages of one topic in memory: the broadcast channel, and only a cache. It takes a page only at its own
 * end, so it never has a hole. What it does not hold costs one page read from the database.
 */

import type { Limits, Page } from "../../core/index.js";
import { Ring } from "../../streams/index.js";
import { frameEnds } from "../../wire/index.js";
import type { PageMessage } from "./page-message.js";

/** A page with the ends of its frames, so that a reader may begin and end at any of them. */
interface IndexedPage {
  readonly page: Page;
  readonly ends: Uint32Array;
}

/**
 * 1000 followers at the same place share one object, which the door encodes once. The tail keeps this many for that.
 */
const recentPagesMax = 4;

interface RecentPage {
  readonly from: number;
  readonly page: PageMessage;
}

export interface Tail {
  /** The lowest offset that it holds; equal to `next` while it is empty. A live reader below it fell behind. */
  readonly first: number;
  /** The offset after its newest record. */
  readonly next: number;
  readonly bytes: number;
  /** How many bytes it may hold. A single larger page is kept all the same. */
  readonly capacity: number;
  /** Takes a page that begins at `next`, and returns whether it did. `ends` saves a walk over the frames. */
  offer(page: Page, ends?: Uint32Array): boolean;
  /** Drops all pages, and begins again at an offset. */
  restart(offset: number): void;
  /** Records from `from` on, up to `bytes` but at least one. Undefined: it has no record there. */
  read(from: number, bytes: number, epoch: number): PageMessage | undefined;
}

/** All tails of a node share one budget. The least recently used tail is emptied first. */
export interface TailBudget {
  readonly bytes: number;
  create(start: number): Tail;
}

export function createTailBudget(limits: Pick<Limits, "tailTopicBytes" | "tailNodeBytes">): TailBudget {
  let total = 0;
  // A Set keeps insertion order, and each use inserts again: the least recently used tail is first.
  const used = new Set<PageTail>();

  function touch(tail: PageTail): void {
    used.delete(tail);
    if (tail.bytes > 0) used.add(tail);
  }

  function change(tail: PageTail, delta: number): void {
    total += delta;
    touch(tail);
    for (const oldest of used) {
      if (total <= limits.tailNodeBytes) return;
      if (oldest !== tail) oldest.empty();
    }
  }

  return {
    get bytes() {
      return total;
    },
    create: (start) => new PageTail(start, limits.tailTopicBytes, { onWeight: change, onUse: touch }),
  };
}

class PageTail implements Tail {
  readonly capacity: number;
  readonly #ring: Ring<IndexedPage>;
  readonly #onUse: (tail: PageTail) => void;
  #recent: RecentPage[] = [];

  constructor(
    start: number,
    capacity: number,
    { onWeight, onUse }: { onWeight(tail: PageTail, delta: number): void; onUse(tail: PageTail): void },
  ) {
    this.capacity = capacity;
    this.#onUse = onUse;
    this.#ring = new Ring({ capacity, start, onWeight: (delta) => onWeight(this, delta) });
  }

  get first(): number {
    return this.#ring.first;
  }

  get next(): number {
    return this.#ring.next;
  }

  get bytes(): number {
    return this.#ring.weight;
  }

  offer(page: Page, ends?: Uint32Array): boolean {
    if (page.first !== this.#ring.next) return false;
    this.#ring.append(
      { page, ends: ends ?? frameEnds(page.frames, page.next - page.first) },
      page.next,
      page.frames.length,
    );
    // They may hold bytes of pages that this append evicted.
    if (this.#recent.some(({ from }) => from < this.first)) this.#recent = [];
    return true;
  }

  restart(offset: number): void {
    this.#recent = [];
    this.#ring.restart(offset);
  }

  empty(): void {
    this.#recent = [];
    this.#ring.evictTo(0);
  }

  read(from: number, bytes: number, epoch: number): PageMessage | undefined {
    const runs: Uint8Array[] = [];
    let next = from;
    let room = bytes;
    for (;;) {
      const entry = this.#ring.find(next);
      if (entry === undefined) break;
      const run = sliceFrames(entry.item, next, { bytes: room, takesOne: runs.length === 0 });
      if (run.count === 0) break;
      runs.push(run.frames);
      next += run.count;
      room -= run.frames.length;
      if (next < entry.end) break;
    }
    if (next === from) return undefined;
    this.#onUse(this);
    return this.#recentPage(from, next) ?? this.#remember(from, { runs, next: { epoch, offset: next } });
  }

  #recentPage(from: number, next: number): PageMessage | undefined {
    return this.#recent.find((recent) => recent.from === from && recent.page.next.offset === next)?.page;
  }

  #remember(from: number, { runs, next }: Pick<PageMessage, "runs" | "next">): PageMessage {
    const page = { kind: "page", runs, records: next.offset - from, next, isShared: true } as const;
    this.#recent.push({ from, page });
    if (this.#recent.length > recentPagesMax) this.#recent.shift();
    return page;
  }
}

/**
 * The frames from offset `from` on that fit into `bytes`. With `takesOne`, the first frame is taken whatever its size.
 */
function sliceFrames(
  { page, ends }: IndexedPage,
  from: number,
  { bytes, takesOne }: { readonly bytes: number; readonly takesOne: boolean },
): { readonly frames: Uint8Array; readonly count: number } {
  const index = from - page.first;
  const start = index === 0 ? 0 : (ends[index - 1] as number);
  let last = lastFrameWithin(ends, start + bytes);
  if (last < index && takesOne) last = index;
  if (last < index) return { frames: page.frames.subarray(0, 0), count: 0 };
  return { frames: page.frames.subarray(start, ends[last]), count: last - index + 1 };
}

/** The last frame that ends at or before `limit`; -1 if there is none. */
function lastFrameWithin(ends: Uint32Array, limit: number): number {
  let low = -1;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((ends[middle] as number) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
