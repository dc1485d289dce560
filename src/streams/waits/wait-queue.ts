interface Waiter<Ask, Answer> {
  readonly ask: Ask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  /** Takes the listener off its signal, where it has one. */
  unlisten: (() => void) | undefined;
  previous: Waiter<Ask, Answer> | undefined;
  next: Waiter<Ask, Answer> | undefined;
}

/**
 * Those who wait for something, first come, first served, each with what it asks for. A linked list: whoever aborts
 * leaves from the middle in O(1), at once, and its listener with it. `onAbandoned` runs after that, since those behind
 * may fit now. It has no bound of its own: whoever owns it has one.
 */
export class WaitQueue<Ask, Answer> {
  readonly #onAbandoned: (() => void) | undefined;
  #first: Waiter<Ask, Answer> | undefined;
  #last: Waiter<Ask, Answer> | undefined;
  #size = 0;

  constructor(onAbandoned?: () => void) {
    this.#onAbandoned = onAbandoned;
  }

  get size(): number {
    return this.#size;
  }

  /** What the one asks for who waits longest. */
  get firstAsk(): Ask | undefined {
    return this.#first?.ask;
  }

  /** Waits at the end of the queue. Rejects with the signal's reason when it aborts. */
  wait(ask: Ask, signal?: AbortSignal): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const waiter: Waiter<Ask, Answer> = {
        ask,
        resolve,
        reject,
        unlisten: undefined,
        previous: this.#last,
        next: undefined,
      };
      if (this.#last === undefined) this.#first = waiter;
      else this.#last.next = waiter;
      this.#last = waiter;
      this.#size += 1;
      // Apart: most waits have no signal, and closures cost more than the rest of a wait.
      if (signal !== undefined) this.#listen(waiter, signal);
    });
  }

  #listen(waiter: Waiter<Ask, Answer>, signal: AbortSignal): void {
    const onAbort = () => {
      this.#remove(waiter);
      waiter.reject(signal.reason);
      this.#onAbandoned?.();
    };
    waiter.unlisten = () => signal.removeEventListener("abort", onAbort);
    signal.addEventListener("abort", onAbort, { once: true });
  }

  /** Lets the first one go on. Nothing of it runs before the caller is done. */
  admit(answer: Answer): void {
    const waiter = this.#first;
    if (waiter === undefined) return;
    this.#remove(waiter);
    waiter.resolve(answer);
  }

  admitAll(answer: Answer): void {
    while (this.#first !== undefined) this.admit(answer);
  }

  rejectAll(reason: unknown): void {
    for (let waiter = this.#first; waiter !== undefined; waiter = this.#first) {
      this.#remove(waiter);
      waiter.reject(reason);
    }
  }

  #remove(waiter: Waiter<Ask, Answer>): void {
    if (waiter.previous === undefined) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    this.#size -= 1;
    waiter.unlisten?.();
  }
}
