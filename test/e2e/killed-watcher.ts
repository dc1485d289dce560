import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { MillraceClient, Rectangle } from "../../src/index.js";
import { sleep } from "../../src/streams/index.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { listBox, watchBox } from "./box-watch.js";
import { changesAround, FeatureModel } from "./features.js";
import { type KeptState, watchUntilKilled } from "./watcher-process.js";

/**
 * Kills a watching process with -9 many times, within or between its pages, while features move in and out of its
 * rectangle and are removed. Each new process resumes where the one before stopped, and the last ends with the same
 * state as a watcher that never stopped.
 */
export async function killWatchers(options: {
  readonly millrace: MillraceClient;
  readonly address: string;
  readonly topic: string;
  readonly rectangle: Rectangle;
  readonly kills: number;
  readonly keys: number;
  readonly random: Random;
}): Promise<void> {
  const { millrace, address, topic, rectangle, kills, keys, random } = options;
  await millrace.topics.create(topic, { keyed: true });
  const model = new FeatureModel([]);
  const change = changesAround(rectangle, keys, random);
  const folder = await mkdtemp(join(tmpdir(), "millrace-watcher-"));
  const life = { address, topic, rectangle, file: join(folder, "state.json") };
  let published = 0;
  let isOver = false;
  const publish = async () => {
    while (!isOver) {
      const batch = Array.from({ length: 20 }, () => change((published += 1)));
      await millrace.append(topic, batch);
      batch.forEach((each) => model.apply(each));
      // Gives the watchers time to keep up, and the kills time in between.
      await sleep(2);
    }
  };
  try {
    const steady = watchBox(millrace, topic, rectangle);
    const publishing = publish();
    let pages = 0;
    // The race reports failures: without it a dead publisher would leave the watchers without pages.
    const lives = async () => {
      for (let killed = 0; killed < kills; killed += 1) {
        const more = wholeNumberBetween(random, 1, 12);
        await watchUntilKilled({ ...life, pages: more });
        pages += more;
      }
    };
    await Promise.race([lives(), publishing]);
    isOver = true;
    await publishing;
    await millrace.topics.close(topic);
    await watchUntilKilled({ ...life, pages: undefined });
    const kept = JSON.parse(await readFile(life.file, "utf8")) as KeptState;
    const expected = byKey(model.inside(rectangle));
    const { texts } = await steady;
    expect(byKey(await listBox(millrace, topic, rectangle))).toEqual(expected);
    expect(byKey(texts)).toEqual(expected);
    expect(byKey(kept.texts)).toEqual(expected);
    console.log(
      `watcher killed ${kills} times in ${pages} pages and ${published} changes: ${kept.texts.length} inside`,
    );
  } finally {
    isOver = true;
    await rm(folder, { recursive: true, force: true });
  }
}

const byKey = (texts: Iterable<readonly [string, string]>) =>
  [...texts].toSorted(([one], [other]) => (one < other ? -1 : 1));
