/** The metrics page, in the text format of Prometheus. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Metrics } from "../telemetry/index.js";
import type { Address } from "./read-setting.js";

export interface MetricsEndpoint {
  /** The bound HOST:PORT. */
  readonly address: string;
  close(): Promise<void>;
}

export async function serveMetrics(metrics: Metrics, address: Address): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (request.method !== "GET" || (path !== "/metrics" && path !== "/")) {
      response.writeHead(404).end();
      return;
    }
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { "content-type": metrics.registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `${address.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
