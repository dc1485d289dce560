import { expect, test } from "vitest";
import { deferred } from "../../../src/streams/index.js";

test("deferred, settles from outside and only once", async () => {
  const kept = deferred<number>();
  kept.resolve(1);
  kept.reject(new Error("too late"));
  await expect(kept.promise).resolves.toBe(1);

  const broken = deferred<number>();
  broken.reject(new Error("first"));
  broken.resolve(2);
  await expect(broken.promise).rejects.toThrow("first");
});
