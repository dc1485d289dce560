/** A minimal gRPC client: an http2 stream, read by hand, or not at all (grpc-js.md #19). */

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

const messageHeaderBytes = 5;

/** Opens a connection; resolves when it is established. */
export function openConnection(address: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    session.setMaxListeners(0);
    session.once("error", reject);
    session.once("remoteSettings", () => {
      session.off("error", reject);
      // A server that is stopped meanwhile is no fault of the bench.
      session.on("error", () => {});
      resolve(session);
    });
  });
}

/** Makes a call with one request. Nothing is read until there is a listener. */
export function openStream(session: ClientHttp2Session, path: string, request: Uint8Array): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const header = Buffer.alloc(messageHeaderBytes);
  header.writeUInt32BE(request.length, 1);
  stream.end(Buffer.concat([header, request]));
  return stream;
}

/** Reports the length of each message of a stream, without decoding it. */
export function onMessages(stream: ClientHttp2Stream, onMessage: (bytes: number) => void): void {
  const header = Buffer.alloc(messageHeaderBytes);
  let headerFilled = 0;
  let left = 0;
  stream.on("data", (chunk: Buffer) => {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length - at);
        left -= taken;
        at += taken;
        if (left === 0) onMessage(header.readUInt32BE(1));
        continue;
      }
      const taken = Math.min(messageHeaderBytes - headerFilled, chunk.length - at);
      chunk.copy(header, headerFilled, at, at + taken);
      headerFilled += taken;
      at += taken;
      if (headerFilled < messageHeaderBytes) continue;
      headerFilled = 0;
      left = header.readUInt32BE(1);
      if (left === 0) onMessage(0);
    }
  });
}
