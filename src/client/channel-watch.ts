import { type Client, connectivityState } from "@grpc/grpc-js";
import type { Timers } from "../streams/index.js";

/** Told for how long the channel was away, in milliseconds, as far as it was watched. */
type OnConnected = (awayMs: number) => void;

/**
 * Calls back when a channel is connected again. From the first time that somebody asks, it is watched for good: one watcher
 * of grpc-js, which keeps each until the state changes.
 */
export class ChannelWatch {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #waiting = new Set<OnConnected>();
  #isWatched = false;
  /** By the monotonic clock; undefined: it is connected. */
  #awaySinceMs: number | undefined;

  constructor(client: Client, timers: Timers) {
    this.#client = client;
    this.#timers = timers;
  }

  /** Whether the channel is connected. If it is not, it begins to connect. */
  connect(): boolean {
    if (!this.#isWatched) this.#watch();
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    // One that is closed would connect again when it is asked to.
    if (state !== connectivityState.SHUTDOWN) channel.getConnectivityState(true);
    return state === connectivityState.READY;
  }

  /** Calls back once, when there is a connection. Gives what forgets the callback. */
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
    // Left alone, it would stay idle after a connection that was lost.
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
