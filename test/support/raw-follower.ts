/** A follower on bare HTTP/2, which reads exactly when it is told to: grpc-js would read ahead (grpc-js.md #19). */

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { FollowResponse, RecordServiceService } from "../../src/gen/millrace/v1/record_service.js";

const { follow } = RecordServiceService;

/** One connection for many followers. Its own window never closes, so that what blocks is each stream's. */
export async function connectRaw(address: string): Promise<ClientHttp2Session> {
  const session = connect(`http://${address}`);
  session.on("error", () => undefined);
  // Rejects when there is nobody.
  await once(session, "connect");
  session.setLocalWindowSize(2 ** 30);
  return session;
}

/** The messages of one follow from the earliest record. Between two calls of `next()` its window stays as it is. */
export class RawFollower {
  readonly #stream: ClientHttp2Stream;
  readonly #chunks: AsyncIterator<Buffer>;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(session: ClientHttp2Session, topic: string) {
    this.#stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: follow.path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
    });
    this.#stream.on("error", () => undefined);
    const message = follow.requestSerialize({
      topic,
      start: { at: { $case: "earliest", value: {} } },
      whenBehind: 0,
      whenTrimmed: 0,
      filter: "",
    });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#stream.end(Buffer.concat([head, message]));
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The next message. Throws when the call ended. */
  async next(): Promise<FollowResponse> {
    const head = await this.#take(5);
    return FollowResponse.decode(await this.#take(head.readUInt32BE(1)));
  }

  /** Ends the call. */
  close(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  async #take(length: number): Promise<Buffer> {
    const parts = [this.#buffered];
    let available = this.#buffered.length;
    while (available < length) {
      const { done, value } = await this.#chunks.next();
      if (done === true) throw new Error("The follow has ended");
      parts.push(value);
      available += value.length;
    }
    const all = Buffer.concat(parts);
    this.#buffered = all.subarray(length);
    return all.subarray(0, length);
  }
}
