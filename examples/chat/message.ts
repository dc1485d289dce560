/** An event in a room: a record whose key is the member who did it. */

import { createHash } from "node:crypto";
import type { ReceivedRecord, RecordInput } from "millrace";

export type Message =
  | { readonly kind: "joined" }
  /** The offset of its own joining: other members may have the same name, and any may return. */
  | { readonly kind: "left"; readonly joinedAt: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "file"; readonly bytes: Uint8Array };

export function recordOf(member: string, message: Message): RecordInput {
  switch (message.kind) {
    case "text":
      return { key: member, text: message.text };
    case "file":
      return { key: member, data: message.bytes };
    case "joined":
    case "left":
      return { key: member, json: message };
    default:
      throw message satisfies never;
  }
}

/** Undefined for a record that no member has written. */
export function messageOf({ body, json }: ReceivedRecord): Message | undefined {
  if (body?.kind === "text") return { kind: "text", text: body.value };
  if (body?.kind === "data") return { kind: "file", bytes: body.value };
  if (json?.["kind"] === "joined") return { kind: "joined" };
  if (json?.["kind"] === "left") return { kind: "left", joinedAt: Number(json["joinedAt"]) };
  return undefined;
}

/** A message for people, with its offset: they see that none is missing. */
export function lineOf(room: string, { offset, key: member }: ReceivedRecord, message: Message): string {
  return `${room} ${offset} ${member}${deedOf(message)}`;
}

function deedOf(message: Message): string {
  if (message.kind === "text") return `: ${message.text}`;
  if (message.kind !== "file") return ` ${message.kind}`;
  const digest = createHash("sha256").update(message.bytes).digest("hex").slice(0, 12);
  return ` sent ${message.bytes.byteLength} bytes, sha256 ${digest}…`;
}
