import type { ReceivedRecord } from "../client/index.js";

/** A record as one line for people: offset, time, key, attributes, body. */
export function recordLine(record: ReceivedRecord): string {
  const parts = [String(record.offset).padStart(8), record.time.toISOString()];
  if (record.key !== "") parts.push(visible(record.key));
  if (record.attributes.size > 0) {
    parts.push(`{${[...record.attributes].map(([name, value]) => visible(`${name}=${value}`)).join(" ")}}`);
  }
  const body = bodyText(record);
  if (body !== "") parts.push(body);
  if (record.location !== undefined) parts.push(`@${record.location.latitude},${record.location.longitude}`);
  return parts.join("  ");
}

function bodyText({ body }: ReceivedRecord): string {
  switch (body?.kind) {
    case undefined:
      return "";
    case "text":
      return visible(body.value);
    case "json":
      return visible(JSON.stringify(body.value));
    case "data":
      return `<${body.value.length} bytes>`;
    case "message":
      return `<${visible(body.value.typeUrl)}, ${body.value.value.length} bytes>`;
    default:
      return body satisfies never;
  }
}

/** Escapes control characters: a published text must not control the reader's terminal. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
