import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readHeaderOutput, runExample, startExample } from "./run-example.js";

let server: Server;
let origin: string;
let open: number;
let openMax: number;
/** How many others are answered before /late is. */
let lateBehind: number;

/** /late answers when so many others were answered, /flaky at the second try, /never does not answer, /broken answers 503 each time. */
beforeEach(async () => {
  const asked = new Map<string, number>();
  open = 0;
  openMax = 0;
  lateBehind = 1;
  let answered = 0;
  let answerLate = () => {};
  server = createServer((request, response) => {
    const path = request.url ?? "";
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    open += 1;
    openMax = Math.max(openMax, open);
    response.once("close", () => (open -= 1));
    if (path.startsWith("/never")) return;
    if (path === "/broken" || (path === "/flaky" && times === 1)) response.writeHead(503).end();
    else if (path === "/late") answerLate = () => void response.end(path);
    else {
      response.end(path);
      answered += 1;
    }
    if (answered >= lateBehind) answerLate();
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

test("fetcher prints what its header shows", async () => {
  const input = ["late", "a", "broken"].map((path) => `${origin}/${path}\n`).join("");
  const { stdout } = await runExample("fetcher", ["--at-once", "8", "--retries", "2"], { input });
  expect(stdout.replaceAll(origin, "http://127.0.0.1:8080")).toBe(await readHeaderOutput("fetcher"));
});

test("fetcher answers in order, tries again what may pass, and gives up on what does not", async () => {
  const paths = ["late", "a", "flaky", "never", "broken", "b"];
  const outcomes = await fetchAll(paths, ["--limit-ms", "1000", "--retries", "1"]);
  expect(outcomes.map(({ url }) => url)).toEqual(paths.map((path) => `${origin}/${path}`));
  expect(outcomes.map(({ status }) => status)).toEqual([200, 200, 200, undefined, undefined, 200]);
  expect(outcomes[3]?.error).toContain("1000 ms");
  expect(outcomes[4]?.error).toContain("503");
});

test("fetcher reports what is no URL and what nobody answers, and goes on", async () => {
  const input = `nonsense\nhttp://127.0.0.1:1/\n${origin}/a\n`;
  const { code, lines } = await runExample("fetcher", ["--retries", "1", "--json"], { input });
  expect(code).toBe(0);
  const [nonsense, refused, answered] = lines.map((line) => JSON.parse(line) as Outcome);
  expect(nonsense?.error).toContain("Invalid URL");
  expect(refused?.error).toContain("fetch failed: ");
  expect(answered?.status).toBe(200);
});

test("fetcher refuses what is no number of retries, and asks nobody", async () => {
  const { code, stdout, stderr } = await runExample("fetcher", ["--retries", "many"], { input: `${origin}/a\n` });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("--retries many");
  expect(openMax).toBe(0);
});

test("fetcher gives what comes first, of no more at once than it was told", async () => {
  const paths = ["late", ...Array.from({ length: 20 }, (_, index) => `${index}`)];
  lateBehind = 10;
  const outcomes = await fetchAll(paths, ["--unordered", "--at-once", "3"]);
  // Two others at most were under way when it was answered.
  const place = outcomes.findIndex(({ url }) => url === `${origin}/late`);
  expect(place).toBeGreaterThanOrEqual(8);
  expect(new Set(outcomes.map(({ url }) => url))).toEqual(new Set(paths.map((path) => `${origin}/${path}`)));
  expect(openMax).toBeLessThanOrEqual(3);
});

/** Resolves when so many requests that are never answered are open, or none is. */
function untilOpen(count: number): Promise<void> {
  return vi.waitFor(() => expect(open).toBe(count), { timeout: 10_000, interval: 10 });
}

test.each([[["--unordered"]], [[]]])("fetcher cancels all at once when one fails for good: %s", async (order) => {
  const paths = ["never-1", "never-2", "broken", "never-3", "a"];
  const input = (order.length === 0 ? ["broken", ...paths] : paths).map((path) => `${origin}/${path}\n`).join("");
  const args = ["--fail-fast", "--retries", "2", "--limit-ms", "60000", "--at-once", "4", ...order];
  const { code, stdout, stderr } = await runExample("fetcher", args, { input });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toBe(`${origin}/broken  failed: 503 Service Unavailable\n`);
  await untilOpen(0);
});

test("fetcher cancels all at once at Ctrl-C", async () => {
  const { child, ended } = startExample("fetcher", ["--limit-ms", "60000", "--at-once", "3"], "pipe");
  // It waits for more: nobody ends its input.
  child.stdin?.write(["never-1", "never-2", "never-3", "never-4"].map((path) => `${origin}/${path}\n`).join(""));
  await untilOpen(3);
  child.kill("SIGINT");
  expect(await ended).toEqual({ code: 130, stdout: "", stderr: "stopped\n" });
  await untilOpen(0);
});
