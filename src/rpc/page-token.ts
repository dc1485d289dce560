import { answerBytes, invalidArgument } from "../core/index.js";

/** A name, in base64url. */
const pageTokenBytesMax = 1000;
/** The tag of an entry and its length. */
const entryBytes = 5;

/**
 * Page tokens: where the last page ended, marked with its listing and version, in base64url. They are opaque to clients
 * and hold nothing secret.
 */
export function encodePageToken(listing: string, after: string): string {
  return Buffer.from(`${listing}1:${after}`).toString("base64url");
}

/**
 * What of a page fits into one answer, and whether anything is behind it: clients receive 4 MiB at most by default, and a
 * thousand topics with all the labels they may have are five times that.
 */
export function fittingPage<Item, Message>(
  page: { readonly items: readonly Item[]; readonly hasMore: boolean },
  encode: (item: Item) => Message,
  sizeOf: (message: Message) => number,
): { readonly messages: Message[]; readonly last: Item | undefined; readonly hasMore: boolean } {
  const messages: Message[] = [];
  let left = answerBytes - pageTokenBytesMax;
  for (const item of page.items) {
    const message = encode(item);
    left -= sizeOf(message) + entryBytes;
    if (left < 0) break;
    messages.push(message);
  }
  const isCut = messages.length < page.items.length;
  return { messages, last: page.items[messages.length - 1], hasMore: isCut || page.hasMore };
}

/** Where the page before ended; empty for the first one. Throws `invalid-argument` for anything that we did not give. */
export function decodePageToken(listing: string, token: string): string {
  if (token === "") return "";
  const prefix = `${listing}1:`;
  const text = Buffer.from(token, "base64url").toString();
  // Encoded again it must be the same: base64 decoding skips what it does not know.
  if (!text.startsWith(prefix) || Buffer.from(text).toString("base64url") !== token) {
    throw invalidArgument("page_token", "is not one that this method gave: begin again without it");
  }
  return text.slice(prefix.length);
}
