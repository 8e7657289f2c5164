import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import type { ClusterPaths } from "./cluster-paths.ts";
import type { ClusterAddresses } from "./node/cluster-network.ts";
import { API_PORT } from "./node/cluster-programs.ts";

/** What the cluster's API server answers to the admin: the status code and the text; null when it does not answer within two seconds. */
export function getFromApiServer(
  paths: ClusterPaths,
  addresses: ClusterAddresses,
  path: string,
): Promise<{ status: number; body: string } | null> {
  return new Promise((resolve) => {
    const pem = (file: string) => readFileSync(join(paths.pki, file));
    const sent = request(
      {
        ...{ host: addresses.node, port: API_PORT, path, agent: false, timeout: 2000 },
        ...{ ca: pem("ca.crt"), cert: pem("admin.crt"), key: pem("admin.key") },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", () => resolve(null));
      },
    );
    sent.on("timeout", () => sent.destroy());
    sent.on("error", () => resolve(null));
    sent.end();
  });
}
