import type { MillraceClient, Topic } from "../client/index.js";
import { sleep } from "../streams/index.js";
import type { Output } from "./output.js";
import { showWork } from "./progress.js";

const pollMs = 200;

export interface BuildWait {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Waits until the state of a topic is complete, and returns the topic. Shows the progress on standard error. */
export async function waitForState(updated: Topic, { client, output, signal }: BuildWait): Promise<Topic> {
  const progress = showWork(output, {
    bar: "{bar} {percentage}%  {value} of {total} records  {eta} s left",
    line: (done, total) => `The state of ${updated.name} has ${done} of ${total} records`,
  });
  let topic = updated;
  try {
    for (; topic.stateBuild !== undefined; topic = await client.topics.get(updated.name, { signal })) {
      const { fromOffset, nextOffset, untilOffset } = topic.stateBuild;
      // A trim reduces the total.
      progress.show(fromOffset - nextOffset, fromOffset - untilOffset);
      await sleep(pollMs, signal);
    }
  } finally {
    progress.stop();
  }
  return topic;
}
