/** Lists and watches a rectangle, and compares with a brute-force search of all that was published. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { createClient, type MillraceClient, type Rectangle, type WatchEvent } from "../../src/index.js";
import { deferred } from "../../src/streams/index.js";
import { runCli } from "../cli/run-cli.js";
import type { Random } from "../support/soak.js";
import { changesAround, type Feature, FeatureModel, rectanglesFor } from "./features.js";

/** The state of a watcher of a rectangle. */
export class WatchedBox {
  readonly texts = new Map<string, string>();
  records = 0;
  pages = 0;
  left = 0;

  readonly onEvent = (event: WatchEvent): void => {
    if (event.type === "left") {
      this.left += event.keys.length;
      for (const key of event.keys) this.texts.delete(key);
    }
    if (event.type === "reset") this.texts.clear();
  };

  take(records: readonly { readonly key: string; readonly text: string | undefined }[]): void {
    this.pages += 1;
    this.records += records.length;
    for (const { key, text } of records) {
      if (text === undefined) this.texts.delete(key);
      else this.texts.set(key, text);
    }
  }
}

/** Watches to the end of the topic. After each page, awaits `pause`. */
export async function watchBox(
  millrace: MillraceClient,
  topic: string,
  rectangle: Rectangle,
  pause?: (pages: number) => Promise<void> | undefined,
): Promise<WatchedBox> {
  const box = new WatchedBox();
  for await (const { records } of millrace.state.watch(topic, { rectangle, onEvent: box.onEvent }).pages()) {
    box.take(records);
    await pause?.(box.pages);
  }
  return box;
}

export async function listBox(millrace: MillraceClient, topic: string, rectangle: Rectangle) {
  const texts: [string, string][] = [];
  for await (const { key, text } of millrace.state.list(topic, { rectangle })) texts.push([key, text ?? ""]);
  // In the order of keys, each once.
  const keys = texts.map(([key]) => Buffer.from(key));
  expect(keys.every((key, index) => index === 0 || Buffer.compare(keys[index - 1] ?? key, key) < 0)).toBe(true);
  return new Map(texts);
}

/** Imports a file through the command line, as a user would. */
async function importFeatures(address: string, topic: string, features: readonly Feature[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-features-"));
  try {
    const file = join(folder, "features.ndjson");
    await writeFile(file, features.map((feature) => `${JSON.stringify(feature)}\n`).join(""));
    const imported = await runCli(["import", topic, file, "--json", "--address", address]);
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(imported.stdout)).toMatchObject({ records: features.length });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Imports features, and lists rectangles of every kind. */
export async function listBoxes(options: {
  readonly millrace: MillraceClient;
  readonly address: string;
  readonly topic: string;
  readonly features: readonly Feature[];
  readonly rectangles: number;
  readonly random: Random;
}): Promise<void> {
  const { millrace, topic, features, random } = options;
  await millrace.topics.create(topic, { keyed: true });
  await importFeatures(options.address, topic, features);
  const model = new FeatureModel(features);
  let found = 0;
  for (const rectangle of rectanglesFor(random, features, options.rectangles)) {
    const expected = model.inside(rectangle);
    const listed = await listBox(millrace, topic, rectangle);
    expect({ rectangle, texts: sorted(listed) }).toEqual({ rectangle, texts: sorted(expected) });
    found += listed.size;
  }
  console.log(
    `${options.rectangles} rectangles and the edges of the map over ${features.length} features: ${found} found`,
  );
}

/** Changes in one append: a fast watcher may receive as many in one message. */
const appendRecords = 10;

/**
 * Watches a rectangle while features move in and out and are removed. There is a fast watcher, and a very slow one with
 * a small window, which reads one page for each tenth of the changes. Both end with the database's state.
 */
export async function watchBoxWhileItChanges(options: {
  readonly millrace: MillraceClient;
  readonly address: string;
  /** Has the features already. */
  readonly topic: string;
  readonly features: readonly Feature[];
  readonly rectangle: Rectangle;
  readonly changes: number;
  /** How many features change. */
  readonly keys: number;
  readonly random: Random;
}): Promise<void> {
  const { millrace, address, topic, rectangle, changes, random } = options;
  const model = new FeatureModel(options.features);
  const change = changesAround(rectangle, options.keys, random);
  const parts = Array.from({ length: 10 }, () => deferred<void>());
  const distant = createClient({ address, windowBytes: 65_535 });
  try {
    const fast = watchBox(millrace, topic, rectangle);
    const slow = watchBox(distant, topic, rectangle, (pages) => parts[pages - 1]?.promise);
    for (const [part, published] of parts.entries()) {
      for (let number = (part * changes) / parts.length; number < ((part + 1) * changes) / parts.length; ) {
        const some = Array.from({ length: appendRecords }, () => change((number += 1)));
        await millrace.append(topic, some);
        some.forEach((each) => model.apply(each));
      }
      published.resolve();
    }
    await millrace.topics.close(topic);
    const expected = sorted(model.inside(rectangle));
    expect(sorted(await listBox(millrace, topic, rectangle))).toEqual(expected);
    const [ofFast, ofSlow] = await Promise.all([fast, slow]);
    expect(sorted(ofFast.texts)).toEqual(expected);
    expect(sorted(ofSlow.texts)).toEqual(expected);
    const told = ({ records, left, pages }: WatchedBox) => ({ told: records + left, pages });
    console.log(`${changes} changes around a rectangle: fast`, told(ofFast), "slow", told(ofSlow));
    expect(ofFast.left).toBeGreaterThan(0);
    expect(told(ofSlow).told).toBeLessThan(told(ofFast).told * 0.9);
    expect(ofSlow.pages).toBeLessThan(ofFast.pages / 2);
  } finally {
    distant.close();
  }
}

const sorted = (texts: ReadonlyMap<string, string>) => [...texts].toSorted(([one], [other]) => (one < other ? -1 : 1));
