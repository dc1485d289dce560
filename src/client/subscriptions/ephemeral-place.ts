import { type OffsetRange, type Position, RangeSet } from "../../core/index.js";

/**
 * Where an ephemeral consumer continues after a lost call, since the server stores nothing about it. The server has
 * confirmed that everything below is done.
 */
export class EphemeralPlace {
  #position: Position | undefined;
  /** Offsets above the position that are done. */
  readonly #done = new RangeSet();

  /** Undefined until the server has confirmed the start. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** A call has begun here: it delivers everything above, also records that an earlier call had done. */
  begin(position: Position): void {
    this.#position = position;
    this.#done.clear();
  }

  /** The server reports that everything below is done. */
  reach({ epoch, offset }: Position): void {
    const before = this.#position?.offset ?? 0;
    if (offset < before || epoch === 0) return;
    this.#position = { epoch, offset };
    this.#done.delete(0, offset);
    this.#advance();
  }

  /** These offsets are done or were skipped. */
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
