import { type Client, connectivityState } from "@grpc/grpc-js";

/** Tells when a channel that is away is connected, to however many wait: grpc-js keeps each watcher until the state changes. */
export class ChannelWatch {
  readonly #client: Client;
  readonly #waiting = new Set<() => void>();
  #isWatching = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Whether there is a connection. If there is none, the channel is told to get one, as it is by a call. */
  connect(): boolean {
    return this.#state() === connectivityState.READY;
  }

  /** Calls back once, when there is a connection. Gives what forgets the callback. */
  onConnected(callback: () => void): () => void {
    this.#waiting.add(callback);
    this.#watch();
    return () => this.#waiting.delete(callback);
  }

  #watch(): void {
    if (this.#isWatching || this.#waiting.size === 0) return;
    const state = this.#state();
    // It is closed: there will be no connection any more.
    if (state === connectivityState.SHUTDOWN) return;
    if (state === connectivityState.READY) {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const callback of waiting) callback();
      return;
    }
    this.#isWatching = true;
    this.#client.getChannel().watchConnectivityState(state, Infinity, () => {
      this.#isWatching = false;
      this.#watch();
    });
  }

  #state(): connectivityState {
    return this.#client.getChannel().getConnectivityState(true);
  }
}
