import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { versionOf } from "./program.js";

const tmpfsMagic = 0x01021994;

/** The facts that the numbers depend on, as name and value. */
export async function describeMachine(folder: string): Promise<(readonly [string, string])[]> {
  const { type: filesystem } = await statfs(folder);
  return [
    ["CPU", `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores, shared by servers, databases and clients`],
    ["memory", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["system", `${type()} ${release()}`],
    ["data", filesystem === tmpfsMagic ? "in memory (tmpfs): syncing costs nothing here" : "one filesystem for all"],
    ["Node", process.version],
    ["grpc-js", packageVersion("../../../../node_modules/@grpc/grpc-js")],
    ["pg", packageVersion("../../../../node_modules/pg")],
    ["PGlite", packageVersion("../../../../node_modules/@electric-sql/pglite")],
    ["NATS", versionOf("nats-server") ?? "not on PATH"],
    ["NATS client", packageVersion("../../../node_modules/@nats-io/jetstream")],
    ["Redis", versionOf("redis-server") ?? "not on PATH"],
    ["Redis client", packageVersion("../../../node_modules/ioredis")],
    ["IxJS", packageVersion("../../../node_modules/@reactivex/ix-esnext-esm")],
    ["Effect", packageVersion("../../../node_modules/effect")],
    ["streaming-iterables", packageVersion("../../../node_modules/streaming-iterables")],
    ["RxJS", packageVersion("../../../node_modules/rxjs")],
  ];
}

function packageVersion(folder: string): string {
  const text = readFileSync(new URL(`${folder}/package.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
