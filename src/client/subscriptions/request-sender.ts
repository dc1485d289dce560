import type { ConsumeRequest } from "../../gen/millrace/v1/subscription_service.js";

export interface RequestSenderParts {
  /** Resolves when the transport has taken the request, or the call has ended. */
  readonly send: (request: ConsumeRequest) => Promise<void>;
  /** Takes out the next request; undefined if there is none. */
  readonly take: () => ConsumeRequest | undefined;
  /** Called when the transport has taken everything and there is no next request. */
  readonly onIdle: () => void;
}

/**
 * Sends one message at a time. Until the transport has taken it, verdicts are collected for the next message.
 *
 *   sending ──taken, no next request──▶ idle ──wake──▶ scheduled ──the next turn of the event loop──▶ sending
 *   every state ──close──▶ closed
 *
 * All verdicts of one turn are sent in one message. A microtask would be too early: a loop that never waits takes its
 * records in microtasks, so each verdict would be a message.
 */
export class RequestSender {
  readonly #parts: RequestSenderParts;
  #state: "sending" | "idle" | "scheduled" | "closed" = "sending";

  constructor(opening: ConsumeRequest, parts: RequestSenderParts) {
    this.#parts = parts;
    void this.#send(opening);
  }

  /** Call it when there is a request to take. */
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
