/**
 * A process that takes a folder and holds it until it is killed: `node lock-process.js FOLDER`. Says `held`, or
 * `refused` with the reason, and ends on its own when its standard input does.
 */
import { lockFolder } from "../../src/store/postgres/database/folder-lock.js";

const folder = process.argv[2] ?? "";
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
// Starts when it is told to, so that several race.
process.stdin.once("data", () => {
  lockFolder(folder).then(
    () => process.stdout.write("held\n"),
    (error: unknown) => process.stdout.write(`refused ${String(error)}\n`),
  );
});
