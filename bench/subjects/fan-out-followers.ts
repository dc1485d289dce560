/** Many streams in one process, which counts records by length: the server is measured, not its clients. */

import { openConnection, openStream, onMessages } from "../harness/raw-stream.js";
import type { Subject } from "../harness/subject.js";

export interface FanOutFollowersConfig {
  readonly address: string;
  readonly path: string;
  readonly request: Uint8Array;
  readonly streams: number;
  /** All records have the same length, so a message's length tells its number of records. */
  readonly frameBytes: number;
  /** Streams send a first message without records: `open` waits for it. */
  readonly greets: boolean;
}

const sessions = 4;

/** A round ends when each stream has received `records` more records. Returns its CPU seconds. */
export async function open(
  config: FanOutFollowersConfig,
): Promise<Subject<{ readonly records: number }, { readonly cpuSeconds: number }>> {
  const connections = await Promise.all(Array.from({ length: sessions }, () => openConnection(config.address)));
  const counts = new Float64Array(config.streams);
  let wanted = Number.POSITIVE_INFINITY;
  let reached = 0;
  let onAllReached = () => {};
  let greeted = 0;
  let onAllGreeted = () => {};
  const allGreeted = new Promise<void>((resolve) => (onAllGreeted = resolve));

  function start(index: number): void {
    const session = connections[index % sessions];
    if (session === undefined) return;
    let isGreeted = false;
    const stream = openStream(session, config.path, config.request);
    onMessages(stream, (bytes) => {
      if (!isGreeted) {
        isGreeted = true;
        greeted += 1;
        if (greeted === config.streams) onAllGreeted();
      }
      const before = counts[index] as number;
      // The position after the records is shorter than any record.
      const after = before + Math.floor(bytes / config.frameBytes);
      counts[index] = after;
      if (before < wanted && after >= wanted) {
        reached += 1;
        if (reached === config.streams) onAllReached();
      }
    });
  }

  const startAll = () => {
    for (let index = 0; index < config.streams; index++) start(index);
  };
  if (config.greets) {
    startAll();
    await allGreeted;
  }
  return {
    info: undefined,
    async round({ records }) {
      const before = process.cpuUsage();
      counts.fill(0);
      reached = 0;
      wanted = records;
      const allReached = new Promise<void>((resolve) => (onAllReached = resolve));
      if (!config.greets) startAll();
      await allReached;
      const { user, system } = process.cpuUsage(before);
      return { cpuSeconds: (user + system) / 1e6 };
    },
    async close() {
      for (const connection of connections) connection.destroy();
    },
  };
}
