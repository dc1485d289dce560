import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { Position } from "../core/index.js";
import { AbortRace, deferred } from "../streams/index.js";
import type { Call } from "./call.js";
import { prefixBytes, withPrefix } from "../wire/index.js";
import type { StreamShape } from "./method.js";

/** The writable side of a stream. */
export type ResponseSink = ServerWritableStream<unknown, Buffer> | ServerDuplexStream<unknown, Buffer>;

export interface Sending<Response> {
  readonly call: Call;
  readonly sink: ResponseSink;
  readonly shape: Pick<
    StreamShape<never, Response>,
    "responseSerialize" | "isPrefixed" | "onSent" | "recordsIn" | "positionAfter"
  >;
  /** Opens the generator of responses. What it throws ends the call. */
  readonly open: () => AsyncGenerator<Response, void, undefined> | Promise<AsyncGenerator<Response, void, undefined>>;
  /** Ends the loop at once, without waiting for the generator. */
  readonly stop: AbortSignal;
  /** Runs after a normal end of the generator. What it throws ends the call. */
  readonly checkEnd?: () => void;
}

/**
 * Drives a generator by hand and sends what it yields, one message at a time. It requests the next message when the
 * transport has taken the last one, which happens when the client's window has room (grpc-js.md #1, #2). So the
 * client's window limits the reads from the database. Never rejects (grpc-js.md #5).
 *
 * On abort it calls the generator's `return()` and holds no part of its message (invariants 4 and 9). After a failed
 * write it calls `throw()` (grpc-js.md #21).
 */
export async function sendResponses<Response>(sending: Sending<Response>): Promise<void> {
  const { call, sink, shape, open, stop, checkEnd } = sending;
  const race = new AbortRace(stop);
  const sender = new Sender(call, sink, shape);
  let responses: AsyncGenerator<Response, void, undefined> | undefined;
  let closing: Promise<unknown> | undefined;
  try {
    stop.throwIfAborted();
    const opened = open();
    responses = opened instanceof Promise ? await race.wait(opened) : opened;
    while (await sendNext(responses, sender, race)) {
      // The work is in the condition: this frame must not keep a message while it awaits the next one.
    }
    checkEnd?.();
    call.succeed();
    sink.end();
  } catch (error) {
    closing = sender.failure === undefined ? responses?.return() : responses?.throw(sender.failure);
    closing?.catch(() => undefined);
    // A draining stream first waits until its last message is confirmed, so that its position includes that message. A
    // blocked stream waits here until it is gone.
    await settledOrGone(sender.inFlight, call.gone);
    const status = call.fail(error);
    if (!sink.destroyed) sink.emit("error", status);
  } finally {
    race.close();
  }
  await closing?.catch((error: unknown) => {
    if (error !== sender.failure) call.report(error);
  });
}

/**
 * Takes one response and sends it. A callback passes the response on, and no variable here holds it: a suspended async
 * function keeps its variables alive, and so would keep the message of every stalled stream.
 */
async function sendNext<Response>(
  responses: AsyncGenerator<Response, void, undefined>,
  sender: Sender<Response>,
  race: AbortRace,
): Promise<boolean> {
  // A response after an abort is dropped: the status may already be sent.
  const taken = responses
    .next()
    .then((result) => (result.done === true || race.isAborted ? undefined : { sent: sender.send(result.value) }));
  const sending = await race.wait(taken);
  if (sending === undefined) return false;
  await race.wait(sending.sent);
  return true;
}

/** Writes messages, and keeps no reference to a written one. */
class Sender<Response> {
  readonly #call: Call;
  readonly #sink: ResponseSink;
  readonly #shape: Sending<Response>["shape"];
  /** The write that the transport has not confirmed. After a cancellation it never settles (grpc-js.md #3). */
  inFlight: Promise<void> = Promise.resolve();
  /** The error of the last write. */
  failure: Error | undefined;

  constructor(call: Call, sink: ResponseSink, shape: Sending<Response>["shape"]) {
    this.#call = call;
    this.#sink = sink;
    this.#shape = shape;
  }

  send(response: Response): Promise<void> {
    const encoded = this.#shape.responseSerialize(response);
    const prefixed = this.#shape.isPrefixed === true ? encoded : withPrefix(encoded);
    const records = this.#shape.recordsIn?.(response) ?? 0;
    const position = this.#shape.positionAfter?.(response);
    const { promise, resolve, reject } = deferred<void>();
    this.inFlight = promise;
    this.#call.stream.waitFor("client-window");
    const bytes = prefixed.length - prefixBytes;
    const onSent = this.#shape.onSent?.(response);
    this.#sink.write(prefixed, this.#confirm({ bytes, records, position, onSent }, resolve, reject));
    return promise;
  }

  /**
   * The write's callback. It is made in its own scope: a closure in the scope of the message would keep the message as
   * long as a stalled transport keeps the callback.
   */
  #confirm(
    sent: {
      readonly bytes: number;
      readonly records: number;
      readonly position: Position | undefined;
      readonly onSent: (() => void) | undefined;
    },
    resolve: () => void,
    reject: (error: Error) => void,
  ): (error?: Error | null) => void {
    return (error) => {
      this.#call.stream.waitFor("nothing");
      if (error) {
        this.failure = error;
        this.#call.lose(error);
        reject(error);
        return;
      }
      sent.onSent?.();
      this.#call.delivered(sent.bytes, sent.records, sent.position);
      resolve();
    };
  }
}

function settledOrGone(promise: Promise<void>, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      gone.removeEventListener("abort", settle);
      resolve();
    };
    promise.then(settle, settle);
    if (gone.aborted) settle();
    else gone.addEventListener("abort", settle);
  });
}
