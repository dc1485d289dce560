import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Between a node and its database: passes bytes on until it is told not to, or ends after so many of answers. */
export async function openProxy(target: URL, answerBytes = Number.POSITIVE_INFINITY) {
  let left = answerBytes;
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      if (isSilent) return;
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      client.write(passed, () => {
        if (left === 0) client.resetAndDestroy();
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    /** Answers no longer come; requests still go. */
    silence: () => (isSilent = true),
    /** Answers come again; those of before are gone. */
    speak: () => (isSilent = false),
    /** Ends every connection; new ones work. */
    cut() {
      isSilent = false;
      cut();
    },
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
