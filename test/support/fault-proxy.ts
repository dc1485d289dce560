import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What a proxy does to the bytes that pass. Absent: nothing. */
export interface Weather {
  /** Each read is passed on so much later, in milliseconds. A function is asked anew for each. */
  readonly delayMs?: number | (() => number);
  /** So many bytes a second go in either direction, and connection. */
  readonly bytesPerSecond?: number;
  /** Answers are dropped, or what goes in either direction. */
  readonly drops?: "answers" | "all";
  /** Of whoever asks for something that matches, the connection is reset in place of the answer. */
  readonly resetsAnswerTo?: RegExp;
}

export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** From now on, for connections that are there and new ones. */
  set(weather: Weather): void;
  /** Ends every connection, with an orderly end or a reset; new ones work. */
  cut(how?: "end" | "reset"): void;
  /** The other side of every connection goes, and this side is not told. */
  halfOpen(): void;
  close(): Promise<void>;
}

interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Its answer is not to arrive. */
  isDoomed: boolean;
  /** Nobody is told any more that the other side has gone. */
  isHalfOpen: boolean;
}

/**
 * Between two that talk by TCP: passes bytes on, as the weather lets it. With `answerBytes`, connections are reset once so
 * many bytes of answers have gone.
 */
export async function openFaultProxy(
  target: { readonly host: string; readonly port: number },
  { answerBytes = Number.POSITIVE_INFINITY }: { readonly answerBytes?: number } = {},
): Promise<FaultProxy> {
  let answersLeft = answerBytes;
  const lines = new Set<Line>();
  let weather: Weather = {};
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ ...target, allowHalfOpen: true });
    const line: Line = { client, upstream, isDoomed: false, isHalfOpen: false };
    lines.add(line);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // What went wrong on one side is told to the other as a close.
      socket.on("error", () => {});
      socket.on("close", () => {
        if (line.isHalfOpen && socket === upstream) return;
        other.destroy();
        lines.delete(line);
      });
    }
    void pump(line, "requests");
    void pump(line, "answers");
  });

  async function pump(line: Line, direction: "requests" | "answers"): Promise<void> {
    const [from, to] = direction === "requests" ? [line.client, line.upstream] : [line.upstream, line.client];
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const { delayMs = 0, bytesPerSecond = Infinity, drops, resetsAnswerTo } = weather;
        if (drops === "all" || (drops === "answers" && direction === "answers") || line.isHalfOpen) continue;
        if (direction === "requests" && resetsAnswerTo?.test(chunk.toString("latin1")) === true) line.isDoomed = true;
        if (direction === "answers" && line.isDoomed) return void line.client.resetAndDestroy();
        const waitMs = (typeof delayMs === "number" ? delayMs : delayMs()) + (1000 * chunk.length) / bytesPerSecond;
        if (waitMs > 0) await delay(waitMs);
        if (direction === "answers" && chunk.length >= answersLeft) {
          line.client.write(chunk.subarray(0, answersLeft), () => line.client.resetAndDestroy());
          answersLeft = 0;
          return;
        }
        if (direction === "answers") answersLeft -= chunk.length;
        if (!to.write(chunk) && !to.destroyed) await Promise.race([once(to, "drain"), once(to, "close")]);
      }
      to.end();
    } catch {
      // It was destroyed.
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  function cut(how: "end" | "reset" = "end"): void {
    for (const { client, upstream } of lines) {
      for (const socket of [client, upstream]) {
        if (how === "reset") socket.resetAndDestroy();
        else socket.destroy();
      }
    }
    lines.clear();
  }

  return {
    host: "127.0.0.1",
    port,
    set: (next) => (weather = next),
    cut,
    halfOpen() {
      for (const line of lines) {
        line.isHalfOpen = true;
        line.upstream.destroy();
      }
    },
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
