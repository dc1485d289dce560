import { SingleBar } from "cli-progress";
import type { MillraceClient, StateBuild, Topic } from "../client/index.js";
import { sleep } from "../streams/index.js";
import type { Output } from "./output.js";

const pollMs = 200;
/** How often a line is printed when standard error is not a terminal. */
const lineMs = 5000;

export interface BuildWait {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Waits until the state of a topic is complete, and returns the topic. Shows the progress on standard error: a bar on a
 * terminal, otherwise a line every 5 seconds.
 */
export async function waitForState(updated: Topic, { client, output, signal }: BuildWait): Promise<Topic> {
  const progress = output.isErrorTerminal ? bar() : lines(updated.name, output);
  let topic = updated;
  try {
    for (; topic.stateBuild !== undefined; topic = await client.topics.get(updated.name, { signal })) {
      progress.show(topic.stateBuild);
      await sleep(pollMs, signal);
    }
  } finally {
    progress.stop();
  }
  return topic;
}

interface Progress {
  show(build: StateBuild): void;
  stop(): void;
}

function bar(): Progress {
  const shown = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage}%  {value} of {total} records  {eta} s left",
    hideCursor: null,
    clearOnComplete: true,
  });
  let isStarted = false;
  return {
    show(build) {
      const { done, total } = countsOf(build);
      if (!isStarted) shown.start(total, done);
      isStarted = true;
      // A trim reduces the total.
      shown.setTotal(total);
      shown.update(done);
    },
    stop: () => shown.stop(),
  };
}

function lines(topic: string, output: Output): Progress {
  let nextLineAtMs = performance.now() + lineMs;
  return {
    show(build) {
      if (performance.now() < nextLineAtMs) return;
      nextLineAtMs += lineMs;
      const { done, total } = countsOf(build);
      output.tell(`The state of ${topic} has ${done} of ${total} records`);
    },
    stop() {},
  };
}

function countsOf({ fromOffset, nextOffset, untilOffset }: StateBuild): { done: number; total: number } {
  return { done: fromOffset - nextOffset, total: fromOffset - untilOffset };
}
