import { type Client, connectivityState } from "@grpc/grpc-js";
import type { Timers } from "../streams/index.js";

/** Receives how long the channel was seen disconnected, in milliseconds. */
type OnConnected = (awayMs: number) => void;

/**
 * Calls back when a channel is connected again. The watch starts with the first `connect()` and never ends. It is a
 * single watcher, because grpc-js keeps every watcher until the state changes.
 */
export class ChannelWatch {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #waiting = new Set<OnConnected>();
  #isWatched = false;
  /** By the monotonic clock; undefined while connected. */
  #awaySinceMs: number | undefined;

  constructor(client: Client, timers: Timers) {
    this.#client = client;
    this.#timers = timers;
  }

  /** Whether the channel is connected. If it is not, this starts to connect it. */
  connect(): boolean {
    if (!this.#isWatched) this.#watch();
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    // `getConnectivityState(true)` would reconnect a closed channel.
    if (state !== connectivityState.SHUTDOWN) channel.getConnectivityState(true);
    return state === connectivityState.READY;
  }

  /** Calls back once, when there is a connection. Returns a function that removes the callback. */
  onConnected(callback: OnConnected): () => void {
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  #watch(): void {
    this.#isWatched = true;
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.SHUTDOWN) return;
    if (state === connectivityState.READY) this.#connected();
    else this.#awaySinceMs ??= this.#timers.monotonicMs();
    // After a lost connection, the channel would otherwise stay idle.
    if (state === connectivityState.IDLE && this.#waiting.size > 0) channel.getConnectivityState(true);
    channel.watchConnectivityState(state, Infinity, () => this.#watch());
  }

  #connected(): void {
    const nowMs = this.#timers.monotonicMs();
    const awayMs = nowMs - (this.#awaySinceMs ?? nowMs);
    this.#awaySinceMs = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback(awayMs);
  }
}
