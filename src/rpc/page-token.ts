import { answerBytes, invalidArgument } from "../core/index.js";

/** More than a name takes in base64url. */
const pageTokenBytesMax = 1000;
/** At most the tag and the length of an entry. */
const entryBytes = 5;

/**
 * Makes a page token: the listing, a version, and where the last page ended, in base64url. Tokens are opaque to clients
 * and contain no secret.
 */
export function encodePageToken(listing: string, after: string): string {
  return Buffer.from(`${listing}1:${after}`).toString("base64url");
}

/**
 * The items of a page that fit into one answer, and whether more follow. Clients receive up to 4 MiB by default, but a
 * thousand topics with the most labels are five times that.
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

/** Where the previous page ended; empty for the first page. Throws `invalid-argument` for any other token. */
export function decodePageToken(listing: string, token: string): string {
  if (token === "") return "";
  const prefix = `${listing}1:`;
  const text = Buffer.from(token, "base64url").toString();
  // Compared with its own encoding, because base64 decoding skips unknown characters.
  if (!text.startsWith(prefix) || Buffer.from(text).toString("base64url") !== token) {
    throw invalidArgument("page_token", "is not a page token of this method: start again without it");
  }
  return text.slice(prefix.length);
}
