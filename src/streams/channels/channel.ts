import { ChannelCore } from "./channel-core.js";
import type { ChannelOptions } from "./channel-options.js";
import { Receiver } from "./receiver.js";
import { Sender } from "./sender.js";

/**
 * A bounded queue from many producers to one consumer. The receiver is a stream; items come in the order in which they were
 * admitted. The channel holds up to `capacity` items, and each waiting send holds one. A send waits for room, unless
 * `overflow` says otherwise.
 *
 * When the consumer leaves, sends fail. When the last sender has closed, the receiver ends. `fail` of any sender ends it
 * with an error, after the items. Every operation is O(1) amortised an item, and a send that has room makes no promise.
 *
 * @example
 * const { sender, receiver } = channel<string>({ capacity: 2 });
 * const produce = async (sender: Sender<string>, letters: string) => {
 *   for (const letter of letters) await sender.send(letter);
 *   sender.close();
 * };
 * void produce(sender.clone(), "abc");
 * void produce(sender, "xyz");
 * console.log((await collect(receiver, { limit: 10 })).length); // 6
 *
 * const newest = channel<number>({ capacity: 2, overflow: "drop-oldest" });
 * for (let n = 1; n <= 5; n += 1) await newest.sender.send(n);
 * console.log(newest.receiver.takeAvailable(2), newest.receiver.dropped); // [ 4, 5 ] 3
 *
 * const work = channel<string>({ capacity: 1 });
 * const slot = await work.sender.reserve();
 * console.log(work.sender.trySend("no room")); // false
 * slot.send("a result");
 * console.log(work.receiver.takeAvailable(1)); // [ 'a result' ]
 */
export function channel<T>(options: ChannelOptions<T>): { readonly sender: Sender<T>; readonly receiver: Receiver<T> } {
  const core = new ChannelCore<T>(options);
  return { sender: new Sender(core), receiver: new Receiver(core) };
}

export type { ChannelOptions, Overflow, Slot } from "./channel-options.js";
export type { Receiver } from "./receiver.js";
export type { Sender } from "./sender.js";
