import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runExample } from "./run-example.js";

let server: Server;
let origin: string;
let open: number;
let openMax: number;

/** /late answers last, /flaky at the second try, /never does not answer, /broken answers 503 each time. */
beforeEach(async () => {
  const asked = new Map<string, number>();
  open = 0;
  openMax = 0;
  server = createServer((request, response) => {
    const path = request.url ?? "";
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    open += 1;
    openMax = Math.max(openMax, open);
    response.once("close", () => (open -= 1));
    if (path === "/never") return;
    if (path === "/broken" || (path === "/flaky" && times === 1)) response.writeHead(503).end();
    else setTimeout(() => response.end(path), path === "/late" ? 300 : 1);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

interface Outcome {
  readonly url: string;
  readonly status?: number;
  readonly error?: string;
}

async function fetchAll(paths: readonly string[], args: readonly string[]): Promise<Outcome[]> {
  const input = paths.map((path) => `${origin}/${path}\n`).join("");
  const { code, stderr, lines } = await runExample("fetcher", [...args, "--json"], { input });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return lines.map((line) => JSON.parse(line) as Outcome);
}

test("fetcher answers in order, tries again what may pass, and gives up on what does not", async () => {
  const paths = ["late", "a", "flaky", "never", "broken", "b"];
  const outcomes = await fetchAll(paths, ["--limit-ms", "1500", "--retries", "2"]);
  expect(outcomes.map(({ url }) => url)).toEqual(paths.map((path) => `${origin}/${path}`));
  expect(outcomes.map(({ status }) => status)).toEqual([200, 200, 200, undefined, undefined, 200]);
  expect(outcomes[3]?.error).toContain("1500 ms");
  expect(outcomes[4]?.error).toContain("503");
});

test("fetcher gives what comes first, of no more at once than it was told", async () => {
  const paths = ["late", ...Array.from({ length: 20 }, (_, index) => `${index}`)];
  const outcomes = await fetchAll(paths, ["--unordered", "--at-once", "3"]);
  expect(outcomes.at(-1)?.url).toBe(`${origin}/late`);
  expect(new Set(outcomes.map(({ url }) => url))).toEqual(new Set(paths.map((path) => `${origin}/${path}`)));
  expect(openMax).toBeLessThanOrEqual(3);
});
