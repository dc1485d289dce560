/** A message of a room: text or bytes, in a record whose key is the member who wrote it. */

import type { ReceivedRecord, RecordInput } from "millrace";

export type Message = { readonly room: string; readonly member: string } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array }
);

export function recordOf(message: Message): RecordInput {
  return message.kind === "text"
    ? { key: message.member, text: message.text }
    : { key: message.member, data: message.bytes };
}

export function messageOf(room: string, record: ReceivedRecord): Message | undefined {
  const { body, key: member } = record;
  if (body?.kind === "text") return { room, member, kind: "text", text: body.value };
  if (body?.kind === "data") return { room, member, kind: "binary", bytes: body.value };
  return undefined;
}
