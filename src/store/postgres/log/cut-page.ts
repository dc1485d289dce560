/**
 * Makes a page of blocks: copies the wanted frames, within the page's bounds, once into a buffer with room around them.
 */

import { type BufferPool, endOfFrame, type Page, pageRoom, skipFrames } from "../../../core/index.js";
import type { PageRequest } from "../../log-store.js";
import type { Block } from "./block.js";

export interface PageCut {
  /** Takes the next block in the direction of the read, without its trimmed records. */
  add(block: Block, earliestOffset: number): void;
  /** Undefined: no wanted record was found. */
  finish(): Page | undefined;
}

export function cutPage(request: PageRequest): PageCut {
  const buffer = new PageBuffer(request.bytes, request.buffers);
  return request.direction === "forward" ? new ForwardCut(request, buffer) : new BackwardCut(request, buffer);
}

class ForwardCut implements PageCut {
  readonly #request: PageRequest;
  readonly #buffer: PageBuffer;
  /** The next wanted offset, and where to stop. */
  #next: number;
  readonly #until: number;
  #endBytes = 0;
  #isFull = false;

  constructor(request: PageRequest, buffer: PageBuffer) {
    const reach = request.from + request.records;
    this.#request = request;
    this.#buffer = buffer;
    this.#next = request.from;
    this.#until = Math.min(reach, request.until ?? reach);
  }

  add({ firstOffset, nextOffset, endBytes, frames }: Block): void {
    // A block that does not continue where the last one ended is behind a hole: the page ends before it.
    if (this.#isFull || firstOffset > this.#next || nextOffset <= this.#next || this.#next >= this.#until) return;
    const start = skipFrames(frames, 0, this.#next - firstOffset);
    let end = frames.length;
    if (nextOffset <= this.#until && end - start <= this.#room) this.#next = nextOffset;
    else {
      end = this.#fit(frames, start);
      this.#isFull = true;
    }
    if (end === start) return;
    this.#endBytes = endBytes - (frames.length - end);
    this.#buffer.append(frames, start, end, this.#isFull || this.#next >= this.#until);
  }

  get #room(): number {
    return this.#request.bytes - this.#buffer.length;
  }

  /** Where the last frame ends that fits; the first frame always fits. */
  #fit(frames: Buffer, start: number): number {
    let at = start;
    while (this.#next < this.#until && at < frames.length) {
      const end = endOfFrame(frames, at);
      if (end - start > this.#room && this.#next > this.#request.from) break;
      at = end;
      this.#next += 1;
    }
    return at;
  }

  finish(): Page | undefined {
    const { from } = this.#request;
    return this.#next === from ? undefined : this.#buffer.page(from, this.#next, this.#endBytes);
  }
}

class BackwardCut implements PageCut {
  readonly #request: PageRequest;
  readonly #buffer: PageBuffer;
  /** One above the next wanted offset. */
  #at: number;
  readonly #until: number;
  #endBytes: number | undefined;
  #isFull = false;

  constructor(request: PageRequest, buffer: PageBuffer) {
    this.#request = request;
    this.#buffer = buffer;
    this.#at = request.from;
    this.#until = Math.max(request.from - request.records, request.until ?? 0);
  }

  add({ firstOffset, nextOffset, endBytes, frames }: Block, earliestOffset: number): void {
    if (this.#isFull || nextOffset < this.#at || firstOffset >= this.#at) return;
    const ends: number[] = [];
    for (let at = 0, offset = firstOffset; offset < this.#at; offset++) ends.push((at = endOfFrame(frames, at)));
    this.#endBytes ??= endBytes - (frames.length - (ends.at(-1) ?? 0));
    const lowest = Math.max(this.#until, earliestOffset);
    for (let index = ends.length - 1; index >= 0; index--) {
      const start = index === 0 ? 0 : (ends[index - 1] as number);
      const end = ends[index] as number;
      const isFirst = this.#at === this.#request.from;
      if (this.#at <= lowest || (end - start > this.#request.bytes - this.#buffer.length && !isFirst)) {
        this.#isFull = true;
        return;
      }
      this.#buffer.append(frames, start, end, false);
      this.#at -= 1;
    }
  }

  finish(): Page | undefined {
    const { from } = this.#request;
    if (this.#at === from || this.#endBytes === undefined) return undefined;
    return this.#buffer.page(this.#at, from, this.#endBytes);
  }
}

/**
 * The page's bytes, with `pageRoom` around them that nothing else uses: so never from Node's shared pool. If the page
 * uses less than three quarters of the buffer it is copied into a smaller one, since what keeps pages counts only their
 * bytes.
 */
class PageBuffer {
  readonly #bytes: number;
  readonly #pool: BufferPool | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  length = 0;

  constructor(bytes: number, pool: BufferPool | undefined) {
    this.#bytes = bytes;
    this.#pool = pool;
  }

  /** Positional parameters: runs for every block of a page. */
  append(from: Buffer, start: number, end: number, isLast: boolean): void {
    const needed = this.length + end - start;
    if (withRoom(needed) > this.#buffer.length) this.#moveTo(isLast ? needed : Math.max(needed, this.#bytes));
    this.length += from.copy(this.#buffer, pageRoom.before + this.length, start, end);
  }

  page(first: number, next: number, endBytes: number): Page {
    const isWasteful = withRoom(this.length) < this.#buffer.length * 0.75;
    if (isWasteful) this.#moveTo(this.length);
    const frames = this.#buffer.subarray(pageRoom.before, pageRoom.before + this.length);
    return { first, next, endBytes, frames, hasRoom: true, lent: this.#pool && this.#buffer };
  }

  /** Moves the page to a buffer with room for `bytes`. */
  #moveTo(bytes: number): void {
    const size = withRoom(bytes);
    const other = this.#pool?.take(size) ?? Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(other, 0, 0, pageRoom.before + this.length);
    this.#pool?.give(this.#buffer);
    this.#buffer = other;
  }
}

function withRoom(bytes: number): number {
  return pageRoom.before + bytes + pageRoom.behind;
}
