/** Where a loop takes its items from. */
export interface LoopSource<Item> {
  /** Begins; `wake` is called when there may be something to take, and at the end. Throws when it was begun before. */
  begin(wake: () => void): void;
  /** The next item, if there is one now. */
  take(): Item | undefined;
  /** Whether, and how, it has ended. */
  end(): { readonly failure: { readonly error: unknown } | undefined } | undefined;
  /** Finishes what is in hand; resolves at the end. */
  stop(): Promise<void>;
  /** The loop is done with this item. */
  onNext(item: Item): void;
  /** The loop was left at this item. */
  onLeft(item: Item | undefined): void;
}

interface Parked<Item> {
  readonly resolve: (result: IteratorResult<Item, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The iterator of a consumption: not a generator, which takes three promises an item where this takes one. */
export class DeliveryLoop<Item> implements AsyncIterator<Item, undefined> {
  readonly #source: LoopSource<Item>;
  #isBegun = false;
  #current: Item | undefined;
  #parked: Parked<Item> | undefined;
  /** Left, or the end was told. */
  #isOver = false;

  constructor(source: LoopSource<Item>) {
    this.#source = source;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#parked !== undefined) return Promise.reject(new Error("Cannot ask for a delivery while one is awaited"));
    const before = this.#current;
    this.#current = undefined;
    if (before !== undefined) this.#source.onNext(before);
    if (this.#isOver) return Promise.resolve(done);
    return new Promise((resolve, reject) => {
      const parked = { resolve, reject };
      try {
        if (this.#give(parked)) return;
        this.#parked = parked;
        this.#begin();
      } catch (error) {
        this.#isOver = true;
        this.#parked = undefined;
        reject(error);
      }
    });
  }

  /** Reaches a `next` that is parked. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    if (!this.#isOver) {
      this.#isOver = true;
      const current = this.#current;
      this.#current = undefined;
      this.#source.onLeft(current);
      this.#parked?.resolve(done);
      this.#parked = undefined;
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
    if (this.#parked !== undefined && this.#give(this.#parked)) this.#parked = undefined;
  }

  /** Answers with what there is: an item, or the end. */
  #give({ resolve, reject }: Parked<Item>): boolean {
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
