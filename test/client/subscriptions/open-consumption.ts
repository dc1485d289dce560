/** A client, and a server that follows a test's script. Both are closed after the test. */

import { onTestFinished } from "vitest";
import { type ConsumeOptions, type ConsumeTarget, createClient } from "../../../src/client/index.js";
import type { Timers } from "../../../src/streams/index.js";
import { type ConsumeCall, type Script, startScriptedServer } from "../scripted-server.js";
import { recordsAt, scriptedGroup, startedAt } from "./scripted-group.js";

export async function openScript(script: Script, timers?: Timers) {
  const server = await startScriptedServer(script);
  const client = createClient({ address: server.address }, timers);
  onTestFinished(() => {
    client.close();
    server.close();
  });
  const consume = (options: ConsumeOptions = {}, target: ConsumeTarget = "s") =>
    client.consume(target, { backoff: { minMs: 1, maxMs: 10 }, ...options });
  return { server, client, consume };
}

export interface GroupOptions {
  /** The attempt of all deliveries. Default: the first. */
  readonly attempt?: number;
  readonly ackDeadlineMs?: number;
  readonly sharing?: "shared" | "exclusive";
  /** Whether the test itself answers. */
  readonly isSilent?: boolean;
  readonly commit?: NonNullable<Script["commit"]>;
  readonly timers?: Timers;
}

/** A server that delivers these messages in every call, and confirms all verdicts. */
export async function openGroup(
  messages: readonly (readonly number[])[],
  { attempt, ackDeadlineMs = 30_000, sharing = "shared", isSilent = false, commit, timers }: GroupOptions = {},
) {
  const group = scriptedGroup();
  group.isSilent = isSilent;
  let call: ConsumeCall | undefined;
  const opening = await openScript(
    {
      consume(stream) {
        call = stream;
        group.serve(stream, () => {
          stream.write(startedAt(0, { ackDeadlineMs, sharing }));
          for (const offsets of messages) stream.write(recordsAt(offsets, attempt));
        });
      },
      ...(commit && { commit }),
    },
    timers,
  );
  return { ...opening, group, call: () => call as ConsumeCall };
}
