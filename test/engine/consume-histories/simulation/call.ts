/** A consumer's call, driven by its transport and its client. */

import type { Window } from "../../../../src/core/index.js";
import type { ConsumeMessage, ConsumerRequest } from "../../../../src/engine/index.js";
import { channel } from "../../../../src/streams/index.js";
import { createLiveStreams } from "../../../../src/telemetry/index.js";
import type { SimulatedNode } from "./node.js";

/** Events of a consumer's call. */
export interface CallEvents {
  /** The engine made a message: the transport has it. */
  handed(message: ConsumeMessage): void;
  /** The transport took it: the client has it. */
  taken(message: ConsumeMessage): void;
  ended(error: unknown): void;
}

export interface SimulatedCall {
  say(request: ConsumerRequest): void;
  /** While it is stalled, the transport takes no message. */
  stall(): void;
  unstall(): void;
  halfClose(): void;
  cancel(): void;
}

const streams = createLiveStreams();

export function openCall(
  { node }: SimulatedNode,
  opening: { readonly subscription: string; readonly consumer: string; readonly window: Window },
  events: CallEvents,
): SimulatedCall {
  const requests = channel<ConsumerRequest>({ capacity: 1000 });
  const abort = new AbortController();
  const iterator: AsyncIterator<ConsumerRequest, undefined> = {
    next: () => requests.receiver.receive(abort.signal) as Promise<IteratorResult<ConsumerRequest, undefined>>,
    return: () => {
      requests.sender.close();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const messages = node.engine.consume(
    { kind: "subscription", ...opening },
    iterator,
    streams.open(opening.consumer, "consume"),
    abort.signal,
  );
  let stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  async function pump(): Promise<void> {
    for (;;) {
      const { done, value } = await messages.next();
      if (done) return;
      events.handed(value);
      while (stalled !== undefined) await stalled.over;
      if (abort.signal.aborted) return;
      events.taken(value);
    }
  }
  const unstall = (): void => {
    const { end } = stalled ?? { end: () => undefined };
    stalled = undefined;
    end();
  };
  pump().then(
    () => events.ended(undefined),
    (error: unknown) => events.ended(error),
  );
  return {
    say: (request) => void requests.sender.trySend(request),
    stall() {
      if (stalled !== undefined) return;
      let end = (): void => {};
      const over = new Promise<void>((resolve) => (end = resolve));
      stalled = { over, end };
    },
    unstall,
    halfClose: () => requests.sender.close(),
    cancel() {
      abort.abort(new Error("cancelled"));
      unstall();
      void messages.return().catch(() => undefined);
    },
  };
}
