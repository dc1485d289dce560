import type { ConsumeRequest } from "../../gen/millrace/v1/subscription_service.js";

export interface RequestSenderParts {
  /** Resolves when the transport took it, and also when the call has ended. */
  readonly send: (request: ConsumeRequest) => Promise<void>;
  /** Takes out what there is to say; undefined: nothing. */
  readonly take: () => ConsumeRequest | undefined;
  /** The transport took everything, and there is nothing more to say. */
  readonly onIdle: () => void;
}

/**
 * Sends one message at a time: while the transport has not taken it, what is said gathers for the next.
 *
 *   sending ──taken, nothing left to say──▶ idle ──wake──▶ scheduled ──the next turn of the event loop──▶ sending
 *   every state ──close──▶ closed
 *
 * The turn makes one message of all that is said in it. A microtask would be too early: a loop that never waits takes
 * record after record in microtasks, and each would be a message.
 */
export class RequestSender {
  readonly #parts: RequestSenderParts;
  #state: "sending" | "idle" | "scheduled" | "closed" = "sending";

  constructor(opening: ConsumeRequest, parts: RequestSenderParts) {
    this.#parts = parts;
    void this.#send(opening);
  }

  /** There is something to say. */
  wake(): void {
    if (this.#state !== "idle") return;
    this.#state = "scheduled";
    setImmediate(() => this.#next());
  }

  close(): void {
    this.#state = "closed";
  }

  #next(): void {
    if (this.#state === "closed") return;
    const request = this.#parts.take();
    if (request !== undefined) {
      this.#state = "sending";
      void this.#send(request);
      return;
    }
    this.#state = "idle";
    this.#parts.onIdle();
  }

  async #send(request: ConsumeRequest): Promise<void> {
    await this.#parts.send(request);
    this.#next();
  }
}
