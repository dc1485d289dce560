import { SingleBar } from "cli-progress";
import type { MillraceClient, StateBuild, Topic } from "../client/index.js";
import { sleep } from "../streams/index.js";
import type { Output } from "./output.js";

const lookAgainMs = 200;
/** How often a line is printed where no person looks at a bar. */
const lineMs = 5000;

export interface BuildWait {
  readonly client: MillraceClient;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Waits until the state of a topic is whole, and gives the topic as it is then. Shows how far it is on standard error: as
 * a bar to a person, else as a line now and then.
 */
export async function waitForState(turned: Topic, { client, output, signal }: BuildWait): Promise<Topic> {
  const progress = output.isErrorTerminal ? bar() : lines(turned.name, output);
  let topic = turned;
  try {
    for (; topic.stateBuild !== undefined; topic = await client.topics.get(turned.name, { signal })) {
      progress.show(topic.stateBuild);
      await sleep(lookAgainMs, signal);
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
      // A trim brings the end nearer.
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
