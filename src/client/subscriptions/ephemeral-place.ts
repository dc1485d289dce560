import { type OffsetRange, type Position, RangeSet } from "../../core/index.js";

/**
 * Where an ephemeral consumer goes on after a lost call: the server keeps nothing of it. All below is done, as far as the
 * server has confirmed it or told.
 */
export class EphemeralPlace {
  #position: Position | undefined;
  /** What is done above the position. */
  readonly #done = new RangeSet();

  /** Undefined until the server has said where it starts. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** A call has begun here: what was done above comes again. */
  begin(position: Position): void {
    this.#position = position;
    this.#done.clear();
  }

  /** The server says that all below is done. */
  reach({ epoch, offset }: Position): void {
    const before = this.#position?.offset ?? 0;
    if (offset < before || epoch === 0) return;
    this.#position = { epoch, offset };
    this.#done.delete(0, offset);
    this.#advance();
  }

  /** These are done, or passed over. */
  done({ firstOffset, nextOffset }: OffsetRange): void {
    this.#done.add(Math.max(firstOffset, this.#position?.offset ?? 0), nextOffset);
    this.#advance();
  }

  #advance(): void {
    const first = this.#done.firstRange;
    if (this.#position === undefined || first === undefined || first.firstOffset > this.#position.offset) return;
    const { nextOffset } = first;
    this.#position = { epoch: this.#position.epoch, offset: Math.max(nextOffset, this.#position.offset) };
    this.#done.delete(0, nextOffset);
  }
}
