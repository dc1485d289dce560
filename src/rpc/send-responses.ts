import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { Position } from "../core/index.js";
import { AbortRace, deferred } from "../streams/index.js";
import type { Call } from "./call.js";
import { prefixBytes, withPrefix } from "../wire/index.js";
import type { StreamShape } from "./method.js";

/** Where responses go: the writable side of both kinds of stream. */
export type ResponseSink = ServerWritableStream<unknown, Buffer> | ServerDuplexStream<unknown, Buffer>;

export interface Sending<Response> {
  readonly call: Call;
  readonly sink: ResponseSink;
  readonly shape: Pick<
    StreamShape<never, Response>,
    "responseSerialize" | "isPrefixed" | "onSent" | "recordsIn" | "positionAfter"
  >;
  /** Begins the responses; what it throws ends the call. */
  readonly open: () => AsyncGenerator<Response, void, undefined> | Promise<AsyncGenerator<Response, void, undefined>>;
  /** Ends the loop at once, and not when the generator gets to it. */
  readonly stop: AbortSignal;
  /** Looks at a normal end of the generator; what it throws ends the call instead. */
  readonly checkEnd?: () => void;
}

/**
 * Drives a generator by hand and sends what it yields, one message at a time: the next is asked for when the transport
 * took the last one, which is when the client's window had room for it (grpc-js.md #1, #2). That is what makes a reader
 * pull, all the way to the database. Never rejects (grpc-js.md #5).
 *
 * On abort the generator gets `return()`, and nothing of its message is held here (invariants 4 and 9); on a failed
 * write it gets `throw()` (grpc-js.md #21).
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
      // The work is in the condition: nothing of a message may live on in this frame while the next one is awaited.
    }
    checkEnd?.();
    call.succeed();
    sink.end();
  } catch (error) {
    closing = sender.failure === undefined ? responses?.return() : responses?.throw(sender.failure);
    closing?.catch(() => undefined);
    // A draining stream first learns whether its last message arrived, so that its position is neither ahead of that
    // message nor behind it. A blocked one waits here until it is gone.
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
 * Asks for one response and sends it. The response is handed on inside a callback and never named in this frame: a
 * suspended async function keeps what its registers held, and so kept every stalled stream's message.
 */
async function sendNext<Response>(
  responses: AsyncGenerator<Response, void, undefined>,
  sender: Sender<Response>,
  race: AbortRace,
): Promise<boolean> {
  // What comes after an abort is dropped: the status may be on its way.
  const taken = responses
    .next()
    .then((result) => (result.done === true || race.isAborted ? undefined : { sent: sender.send(result.value) }));
  const sending = await race.wait(taken);
  if (sending === undefined) return false;
  await race.wait(sending.sent);
  return true;
}

/** Writes messages, and keeps no reference to one that was written. */
class Sender<Response> {
  readonly #call: Call;
  readonly #sink: ResponseSink;
  readonly #shape: Sending<Response>["shape"];
  /** The write that the transport has not confirmed. After a cancellation it never settles (grpc-js.md #3). */
  inFlight: Promise<void> = Promise.resolve();
  /** What the last write failed with. */
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
   * The write's callback. It is made apart from the message, since a closure made beside it would keep it for as long
   * as a stalled transport keeps the callback.
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
