import { type Client, connectivityState } from "@grpc/grpc-js";
import type { Timers } from "../streams/index.js";

/** Told for how long the channel was away, in milliseconds, as far as anybody looked. */
type OnConnected = (awayMs: number) => void;

/** Calls back when a channel is connected again. One watcher of grpc-js serves all, which keeps each until the state changes. */
export class ChannelWatch {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #waiting = new Set<OnConnected>();
  #isWatching = false;
  /** Since when it was seen to be away, by the monotonic clock. */
  #awaySinceMs: number | undefined;

  constructor(client: Client, timers: Timers) {
    this.#client = client;
    this.#timers = timers;
  }

  /** Whether there is a connection. If there is none, the channel is told to get one, as it is by a call. */
  connect(): boolean {
    return this.#state() === connectivityState.READY;
  }

  /** Calls back once, when there is a connection. Gives what forgets the callback. */
  onConnected(callback: OnConnected): () => void {
    this.#waiting.add(callback);
    this.#watch();
    return () => this.#waiting.delete(callback);
  }

  #watch(): void {
    if (this.#isWatching || this.#waiting.size === 0) return;
    const nowMs = this.#timers.monotonicMs();
    const awayMs = nowMs - (this.#awaySinceMs ?? nowMs);
    const state = this.#state();
    // It is closed: there will be no connection any more.
    if (state === connectivityState.SHUTDOWN) return;
    if (state === connectivityState.READY) {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const callback of waiting) callback(awayMs);
      return;
    }
    this.#isWatching = true;
    this.#client.getChannel().watchConnectivityState(state, Infinity, () => {
      this.#isWatching = false;
      this.#watch();
    });
  }

  #state(): connectivityState {
    const channel = this.#client.getChannel();
    // One that is closed would connect again when it is asked to.
    const isClosed = channel.getConnectivityState(false) === connectivityState.SHUTDOWN;
    const state = isClosed ? connectivityState.SHUTDOWN : channel.getConnectivityState(true);
    if (state === connectivityState.READY) this.#awaySinceMs = undefined;
    else this.#awaySinceMs ??= this.#timers.monotonicMs();
    return state;
  }
}
