interface Waiter<Ask, Answer> {
  readonly ask: Ask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
  /** Removes the listener from its signal, if it has one. */
  unlisten: (() => void) | undefined;
  previous: Waiter<Ask, Answer> | undefined;
  next: Waiter<Ask, Answer> | undefined;
}

/**
 * A queue of waits, first come, first served, each with what it asks for. It is a linked list, so that an aborted wait
 * leaves from the middle in O(1), at once, together with its listener. `onAbandoned` runs after that, since the waits
 * behind it may fit now. The queue has no bound of its own: its owner must have one.
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

  /** What the longest wait asks for. */
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
      // A separate method: most waits have no signal, and its closures cost more than the rest of a wait.
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

  /** Resolves the first wait. None of its code runs before the caller returns. */
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
