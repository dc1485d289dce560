/**
 * Buffers that are reused. Most of the garbage of publishing and reading is buffers, and V8 starts a collection for every
 * few dozen megabytes of them, however small the heap is.
 *
 * The pool never waits. When it is empty, `take` allocates a buffer; when it is full, `give` drops one. Never give back a
 * buffer that may still be read: leave it to the garbage collector.
 */
export class BufferPool {
  readonly #bytesMax: number;
  readonly #free = new Map<number, Buffer[]>();
  /** The memory behind each lent buffer. `give` removes the buffer, so a second `give` does nothing. */
  readonly #lent = new WeakMap<Buffer, Buffer>();
  #bytes = 0;

  /** `bytesMax`: how much memory the pool keeps. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of the free buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A buffer of `bytes` bytes with arbitrary contents. It occupies up to a quarter more memory. */
  take(bytes: number): Buffer {
    if (bytes < pooledBytesMin || bytes > pooledBytesMax) return Buffer.allocUnsafeSlow(bytes);
    const size = sizeFor(bytes);
    const whole = this.#free.get(size)?.pop();
    if (whole !== undefined) this.#bytes -= size;
    const memory = whole ?? Buffer.allocUnsafeSlow(size);
    const taken = memory.subarray(0, bytes);
    this.#lent.set(taken, memory);
    return taken;
  }

  /** Gives back a buffer that nobody reads or writes any more. Ignores a buffer that this pool did not lend. */
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

/** Smaller buffers are cheap to allocate, and larger ones are rare. */
const pooledBytesMin = 8192;
const pooledBytesMax = 2_097_152;

/** Rounds up to a power of two, or to 1¼, 1½ or 1¾ of one. */
function sizeFor(bytes: number): number {
  const quarter = 2 ** Math.floor(Math.log2(bytes - 1)) / 4;
  return Math.ceil(bytes / quarter) * quarter;
}
