import type { ArtifactsRecord } from "../../../src/core/artifacts/artifacts-record.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import { UploadDesk, type UploadDeskPorts } from "../../../src/uploads/upload-desk.ts";
import { makeHttpServer } from "../../../src/web/server.ts";
import { makeUploadHandler } from "../../../src/web/upload-requests.ts";
import { silentLogger } from "../silent-logger.ts";
import { MemorySink } from "./memory-sink.ts";

/** What the upload of one build needs, from the port to the sink, without an API server: the token is the pod's uid. */
export async function startUploadServer(
  { listen = "127.0.0.1:0", ...ports }: Partial<UploadDeskPorts> & { listen?: string } = {},
  logger: Logger = silentLogger,
) {
  const sink = new MemorySink();
  const records: ArtifactsRecord[] = [];
  const desk = new UploadDesk({
    podOf: async (token) => ({ namespace: "ci", uid: token }),
    findBuilds: (number) => (number === "build-1" ? [{ number, namespace: "ci", jobName: number, pods: ["uid-1"], junit: ["*.xml"] }] : []),
    sinkOf: () => sink,
    async collected(_number, record) {
      records.push(record);
    },
    ...ports,
    logger,
  });
  const server = makeHttpServer({
    listen,
    handler: (path) => (path === "/healthz" ? { status: 200, body: "ok\n" } : undefined),
    uploads: makeUploadHandler(desk, logger),
    logger,
  });
  await server.start();
  return {
    sink,
    records,
    port: server.port,
    url: `http://127.0.0.1:${server.port}/builds/build-1/artifacts`,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
