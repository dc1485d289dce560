import { invalidArgument } from "../core/index.js";

/**
 * Page tokens: where the last page ended, marked with its listing and version, in base64url. They are opaque to clients
 * and hold nothing secret.
 */
export function encodePageToken(listing: string, after: string): string {
  return Buffer.from(`${listing}1:${after}`).toString("base64url");
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
