import { queryObjects } from "node:v8";

/** What a process holds: handles by kind, listeners of the process, and how many objects of some classes are alive. */
export type HeldResources = Readonly<Record<string, number>>;

type Constructor = abstract new (...args: never[]) => unknown;

/** Counts after a collection: what is only garbage is not held. */
export function heldResources(classes: readonly Constructor[]): HeldResources {
  globalThis.gc?.();
  const held: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) held[kind] = (held[kind] ?? 0) + 1;
  for (const event of process.eventNames()) held[`on ${String(event)}`] = process.listenerCount(event);
  for (const each of classes) held[`${each.name} objects`] = queryObjects(each, { format: "count" }) as number;
  return held;
}

/** What has grown by more than `margin`, as "kind: before → after". */
export function growth(before: HeldResources, after: HeldResources, margin: number): string[] {
  return Object.entries(after)
    .filter(([kind, count]) => count > (before[kind] ?? 0) + margin)
    .map(([kind, count]) => `${kind}: ${before[kind] ?? 0} → ${count}`);
}
