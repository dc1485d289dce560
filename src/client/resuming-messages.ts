import {
  type BackoffOptions,
  fromPull,
  idleTimeout,
  mapError,
  reconnecting,
  type Source,
  type Stream,
  TimeoutError,
} from "../streams/index.js";
import type { Connection } from "./connection.js";
import { clientError, type ClientError, isTransient } from "./client-error.js";
import { retryBackoff } from "./retry-backoff.js";
import type { StreamingCall } from "./streaming-call.js";

/** The connection was lost; the client retries after `delayMs`. */
export interface Reconnecting {
  readonly type: "reconnecting";
  /** Counts the retries since the last record, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly reason: ClientError;
}

/** How a stream resumes after a failure. */
export interface ResumeOptions {
  /**
   * Waits between tries: full jitter, by default 100 ms doubling to 5 s. When a lost connection is there again, a wait
   * ends within half a second.
   */
  readonly backoff?: BackoffOptions | undefined;
  /** Fail after this time of failures without progress, in milliseconds. 0: at the first failure. */
  readonly giveUpAfterMs?: number | undefined;
}

export interface ResumingOptions<Message> extends ResumeOptions {
  /** Opens a call that continues after the last message; `undefined` when there is nothing left to request. */
  readonly open: () => Promise<StreamingCall<never, Message> | undefined>;
  /** Whether this message shows that the server works, which resets the backoff. */
  readonly isProgress: (message: Message) => boolean;
  readonly onReconnecting: (event: Reconnecting) => void;
  /** The call counts as lost after this time without a message, in milliseconds. */
  readonly silenceMs: number | undefined;
  /** Gives the clock for the waits, and ends a wait when the server is back. */
  readonly connection: Pick<Connection, "timers" | "waitToRetry">;
  /** Ends the stream with its reason. */
  readonly signal: AbortSignal | undefined;
}

/**
 * The messages of one call, and of the calls that replace it after lost connections, as one sequence. Throws an error
 * that no retry can resolve. Messages are requested only when they are pulled.
 */
export function resumingMessages<Message>(options: ResumingOptions<Message>): Stream<Message> {
  return reconnecting<Message>(
    async () => {
      const call = await options.open();
      return call === undefined ? [] : messagesOf(call, options);
    },
    {
      ...retryBackoff(options.backoff),
      timers: options.connection.timers,
      wait: (delayMs, waiting) => options.connection.waitToRetry(delayMs, waiting),
      whenEnded: "end",
      isRetryable: isTransient,
      delayOf: (error) => (isTransient(error) ? error.retryDelayMs : undefined),
      isProgress: options.isProgress,
      giveUpAfterMs: options.giveUpAfterMs,
      onReconnecting(event) {
        // For the type alone: `isRetryable` admits only transient errors, and `whenEnded` says that an end is final.
        if (event.after === "end" || !isTransient(event.error)) return;
        const { attempt, delayMs, error } = event;
        options.onReconnecting({ type: "reconnecting", attempt, delayMs, reason: error });
      },
      signal: options.signal,
    },
  );
}

function messagesOf<Message>(
  call: StreamingCall<never, Message>,
  { silenceMs, connection: { timers } }: Pick<ResumingOptions<Message>, "silenceMs" | "connection">,
): Source<Message> {
  const messages = fromPull<Message>({
    async pull(signal) {
      const message = await call.receive(signal);
      return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
    },
    close: () => call.cancel(),
  });
  if (silenceMs === undefined) return messages;
  return mapError(idleTimeout(messages, silenceMs, { timers }), (error) =>
    error instanceof TimeoutError
      ? clientError("UNAVAILABLE", `The server has sent nothing for ${silenceMs / 1000} s, not even a heartbeat`)
      : error,
  );
}
