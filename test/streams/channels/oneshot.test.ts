import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ChannelClosedError,
  collect,
  NothingToReceiveError,
  oneshot,
  yieldToEventLoop,
} from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

const end = { done: true, value: undefined } as const;

test("oneshot, delivers its value to an earlier or a later receiver, as a promise or as a stream", async () => {
  for (const comesFirst of ["receiver", "sender"]) {
    for (const way of ["receive", "stream"]) {
      const { sender, receiver } = oneshot<number>();
      if (comesFirst === "sender") sender.send(1);
      const got = way === "receive" ? receiver.receive().then((value) => [value]) : collect(receiver, { limit: 2 });
      await yieldToEventLoop();
      if (comesFirst === "receiver") sender.send(1);
      expect(await got).toEqual([1]);
      expect(await receiver.next()).toEqual(end);
      const again = receiver.receive();
      // `collect` closes the stream at the end.
      await expect(again).rejects.toThrow("Cannot receive: the value was received already");
    }
  }
});

test("oneshot, delivers undefined as a value", async () => {
  const { sender, receiver } = oneshot<undefined>();
  sender.send(undefined);
  expect(await collect(receiver, { limit: 2 })).toEqual([undefined]);
});

test("OneshotSender.close(), fails the receiver once, and does nothing after a value", async () => {
  const empty = oneshot<number>();
  const parked = empty.receiver.next();
  empty.sender.close();
  await expect(parked).rejects.toThrow(NothingToReceiveError);
  expect(await empty.receiver.next()).toEqual(end);
  expect(() => empty.sender.send(1)).toThrow(ChannelClosedError);

  const full = oneshot<number>();
  full.sender.send(1);
  full.sender.close();
  full.sender.fail(new Error("too late"));
  expect(await full.receiver.receive()).toBe(1);
});

test("OneshotSender.fail(), fails the receiver once, without an unhandled rejection", async () => {
  oneshot<number>().sender.fail(new Error("nobody hears it"));
  const { sender, receiver } = oneshot<number>();
  sender.fail(new Error("broken"));
  await expect(receiver.receive()).rejects.toThrow("broken");
  expect(await receiver.next()).toEqual(end);
});

test("OneshotSender.send(), throws the second time, and when the receiver is gone", async () => {
  const twice = oneshot<number>();
  twice.sender.send(1);
  expect(() => twice.sender.send(2)).toThrow("Cannot send: the value was sent already");
  expect(await twice.receiver.receive()).toBe(1);
  expect(() => twice.sender.send(3)).toThrow("Cannot send: the value was sent already");

  const left = oneshot<number>();
  const parked = [left.receiver.receive(), left.receiver.next()] as const;
  const outcomes = Promise.allSettled(parked);
  left.receiver.close();
  expect(await outcomes).toMatchObject([
    { reason: { message: "Cannot receive: the receiver is closed" } },
    { status: "fulfilled", value: end },
  ]);
  expect(() => left.sender.send(1)).toThrow("Cannot send: the receiver is gone");
});

test("OneshotReceiver.receive(), loses no value by an abort at any moment, and leaves no listener", async () => {
  const moment = fc.constantFrom("abort", "send", "turn");
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(["abort", "send"]),
      fc.array(moment, { maxLength: 3 }),
      async (order, more) => {
        const { sender, receiver } = oneshot<number>();
        const controller = new AbortController();
        let got: number | undefined;
        const waiting = receiver.receive(controller.signal).then(
          (value) => void (got = value),
          () => undefined,
        );
        let isSent = false;
        for (const one of [...order, ...more, "send"]) {
          if (one === "abort") controller.abort();
          else if (one === "turn") await yieldToEventLoop();
          else if (!isSent) {
            sender.send(7);
            isSent = true;
          }
        }
        await waiting;
        expect(abortListeners(controller.signal)).toBe(0);
        if (got === undefined) got = await receiver.receive();
        expect(got).toBe(7);
      },
    ),
  );
});
