/**
 * Buffers that are used again. What publishing and reading leave to the garbage collector is mostly buffers, and V8 begins a
 * collection for every few dozen megabytes of them, however small the heap is.
 *
 * Nobody waits for the pool. When it is empty, `take` makes a buffer; when it is full, `give` lets one go. A buffer that may
 * still be read is never given back: the collector takes it.
 */
export class BufferPool {
  readonly #bytesMax: number;
  readonly #free = new Map<number, Buffer[]>();
  /** The memory of each buffer that `take` gave and `give` has not seen: so a second `give` of one does nothing. */
  readonly #lent = new WeakMap<Buffer, Buffer>();
  #bytes = 0;

  /** `bytesMax`: what it keeps. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of buffers that wait to be used again. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A buffer of so many bytes, with any contents. It occupies up to a quarter more. */
  take(bytes: number): Buffer {
    if (bytes < leastBytes || bytes > mostBytes) return Buffer.allocUnsafeSlow(bytes);
    const size = sizeFor(bytes);
    const whole = this.#free.get(size)?.pop();
    if (whole !== undefined) this.#bytes -= size;
    const memory = whole ?? Buffer.allocUnsafeSlow(size);
    const taken = memory.subarray(0, bytes);
    this.#lent.set(taken, memory);
    return taken;
  }

  /** Gives back a buffer that nobody reads or writes any more. Does nothing with one that is not of this pool. */
  give(buffer: Buffer): void {
    const memory = this.#lent.get(buffer);
    if (memory === undefined) return;
    this.#lent.delete(buffer);
    if (this.#bytes + memory.length > this.#bytesMax) return;
    let free = this.#free.get(memory.length);
    if (free === undefined) this.#free.set(memory.length, (free = []));
    free.push(memory);
    this.#bytes += memory.length;
  }
}

/** Smaller ones are cheap, and larger ones are rare. */
const leastBytes = 8192;
const mostBytes = 2_097_152;

/** A power of two, or one and a quarter, a half or three quarters of it. */
function sizeFor(bytes: number): number {
  const quarter = 2 ** Math.floor(Math.log2(bytes - 1)) / 4;
  return Math.ceil(bytes / quarter) * quarter;
}
