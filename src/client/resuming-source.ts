import { backoff, type BackoffOptions, type PullSource, sleep } from "../streams/index.js";
import { clientError, type ClientError, isTransient } from "./client-error.js";
import type { StreamingCall } from "./streaming-call.js";

/** The way to the server was lost, and is tried again after a while. */
export interface Reconnecting {
  readonly type: "reconnecting";
  /** Counts the tries since the last record, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly reason: ClientError;
}

/** How a stream comes back after a failure. */
export interface ResumeOptions {
  /** Waits between tries: full jitter, 100 ms doubling to 30 s unless told otherwise. */
  readonly backoff?: BackoffOptions | undefined;
  /** Fail when nothing came for so long because of failures, in milliseconds. 0: at the first failure. */
  readonly giveUpAfterMs?: number | undefined;
}

export interface ResumingSource<Message> extends ResumeOptions {
  /** Opens a call that goes on from where the messages so far ended. */
  readonly open: (signal: AbortSignal) => Promise<StreamingCall<never, Message>>;
  /** Whether this message shows that the server does its work, so that the next wait may be short again. */
  readonly isProgress: (message: Message) => boolean;
  readonly onReconnecting: (event: Reconnecting) => void;
  /** A call that is asked for a message and gives none for so long is taken for dead, in milliseconds. */
  readonly silenceMs: number | undefined;
  /** Ends the stream with its reason. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The messages of one call, and of the calls that follow it when the way to the server is lost: to whoever pulls, one
 * sequence. A failure that no retry can heal is thrown. Nothing is asked of the server that was not pulled.
 */
export function resumingSource<Message>(source: ResumingSource<Message>): PullSource<Message> {
  const waits = backoff(source.backoff);
  const stopped = new AbortController();
  const onUserAbort = () => stopped.abort(source.signal?.reason);
  let call: StreamingCall<never, Message> | undefined;
  let attempt = 0;
  let failingSince: number | undefined;
  let isLinked = false;

  /** Both the user's signal and the consumer's leaving end every wait. */
  const link = (returned: AbortSignal) => {
    if (isLinked) return;
    isLinked = true;
    returned.addEventListener("abort", () => stopped.abort(returned.reason), { once: true });
    if (source.signal?.aborted === true) onUserAbort();
    else source.signal?.addEventListener("abort", onUserAbort, { once: true });
  };

  const receive = async (): Promise<Message | undefined> => {
    call ??= await source.open(stopped.signal);
    return receiveInTime(call, source.silenceMs, stopped.signal);
  };

  const waitAfter = async (error: unknown): Promise<void> => {
    call?.cancel();
    call = undefined;
    stopped.signal.throwIfAborted();
    if (!isTransient(error)) throw error;
    failingSince ??= performance.now();
    const delayMs = Math.max(waits.next(), error.retryDelayMs ?? 0);
    if (performance.now() - failingSince + delayMs > (source.giveUpAfterMs ?? Infinity)) throw error;
    attempt += 1;
    source.onReconnecting({ type: "reconnecting", attempt, delayMs, reason: error });
    await sleep(delayMs, stopped.signal);
  };

  return {
    async pull(returned) {
      link(returned);
      for (;;) {
        try {
          const message = await receive();
          if (message === undefined) return { done: true, value: undefined };
          if (source.isProgress(message)) {
            waits.reset();
            attempt = 0;
            failingSince = undefined;
          }
          return { done: false, value: message };
        } catch (error) {
          await waitAfter(error);
        }
      }
    },
    close() {
      source.signal?.removeEventListener("abort", onUserAbort);
      call?.cancel();
      call = undefined;
    },
  };
}

async function receiveInTime<Message>(
  call: StreamingCall<never, Message>,
  silenceMs: number | undefined,
  signal: AbortSignal,
): Promise<Message | undefined> {
  if (silenceMs === undefined) return call.receive(signal);
  let isSilent = false;
  const timer = setTimeout(() => {
    isSilent = true;
    call.cancel();
  }, silenceMs);
  try {
    return await call.receive(signal);
  } catch (error) {
    if (!isSilent) throw error;
    throw clientError("UNAVAILABLE", `The server has sent nothing for ${silenceMs / 1000} s, not even a heartbeat`);
  } finally {
    clearTimeout(timer);
  }
}
