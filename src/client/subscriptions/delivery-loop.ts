/** Where a loop takes its items from. */
export interface LoopSource<Item> {
  /** Begins. Calls `wake` when there may be something to take, and at the end. Throws when it was begun before. */
  begin(wake: () => void): void;
  /** The next item, if there is one now. */
  take(): Item | undefined;
  /** How the source has ended; undefined if it has not. */
  end(): { readonly failure: { readonly error: unknown } | undefined } | undefined;
  /** Finishes the items in hand; resolves at the end. */
  stop(): Promise<void>;
  /** The loop is done with this item. */
  onNext(item: Item): void;
  /** The loop was left at this item. */
  onLeft(item: Item | undefined): void;
}

interface Waiting<Item> {
  readonly resolve: (result: IteratorResult<Item, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The iterator of a consumption. A generator would take three promises per item; this takes one. */
export class DeliveryLoop<Item> implements AsyncIterator<Item, undefined> {
  readonly #source: LoopSource<Item>;
  #isBegun = false;
  #current: Item | undefined;
  #waiting: Waiting<Item> | undefined;
  /** The loop was left, or has received the end. */
  #isOver = false;

  constructor(source: LoopSource<Item>) {
    this.#source = source;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#waiting !== undefined)
      return Promise.reject(new Error("Cannot request a delivery while another request waits"));
    const before = this.#current;
    this.#current = undefined;
    if (before !== undefined) this.#source.onNext(before);
    if (this.#isOver) return Promise.resolve(done);
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      try {
        if (this.#give(waiting)) return;
        this.#waiting = waiting;
        this.#begin();
      } catch (error) {
        this.#isOver = true;
        this.#waiting = undefined;
        reject(error);
      }
    });
  }

  /** Also ends a `next` that waits. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    if (!this.#isOver) {
      this.#isOver = true;
      const current = this.#current;
      this.#current = undefined;
      this.#source.onLeft(current);
      this.#waiting?.resolve(done);
      this.#waiting = undefined;
      await this.#source.stop();
    }
    return done;
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#source.begin(() => this.#wake());
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting !== undefined && this.#give(this.#waiting)) this.#waiting = undefined;
  }

  /** Answers with an item or the end. False: there is neither yet. */
  #give({ resolve, reject }: Waiting<Item>): boolean {
    const item = this.#source.take();
    if (item !== undefined) {
      this.#current = item;
      resolve({ done: false, value: item });
      return true;
    }
    const end = this.#isBegun ? this.#source.end() : undefined;
    if (end === undefined) return false;
    this.#isOver = true;
    if (end.failure === undefined) resolve(done);
    else reject(end.failure.error);
    return true;
  }
}
