import { type OffsetRange, type Position, RangeSet } from "../../core/index.js";

/**
 * Where an ephemeral consumer continues after a lost call: the server keeps nothing of it. The server has confirmed, or
 * stated, that everything below is done.
 */
export class EphemeralPlace {
  #position: Position | undefined;
  /** What is done above the position. */
  readonly #done = new RangeSet();

  /** Undefined until the server has said where it starts. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** A call has begun here: everything above is delivered, also what was done before. */
  begin(position: Position): void {
    this.#position = position;
    this.#done.clear();
  }

  /** The server states that everything below is done. */
  reach({ epoch, offset }: Position): void {
    const before = this.#position?.offset ?? 0;
    if (offset < before || epoch === 0) return;
    this.#position = { epoch, offset };
    this.#done.delete(0, offset);
    this.#advance();
  }

  /** These are done, or were skipped. */
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
