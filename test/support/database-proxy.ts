import { openFaultProxy } from "./fault-proxy.js";

/** Between a node and its database: passes bytes on until it is told not to, or ends after so many of answers. */
export async function openProxy(target: URL, answerBytes?: number) {
  const proxy = await openFaultProxy(
    { host: target.hostname, port: Number(target.port) },
    answerBytes === undefined ? {} : { answerBytes },
  );
  const url = new URL(target);
  url.port = String(proxy.port);
  return {
    url: url.href,
    /** Answers no longer come; requests still go. */
    silence: () => proxy.set({ drops: "answers" }),
    /** Answers come again; those of before are gone. */
    speak: () => proxy.set({}),
    /** Ends every connection; new ones work. */
    cut() {
      proxy.set({});
      proxy.cut();
    },
    close: () => proxy.close(),
  };
}
