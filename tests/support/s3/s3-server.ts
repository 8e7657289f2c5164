import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificatePaths, makeCertificates } from "../../../deploy/local/certificates.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { type Child, startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { s3ServerProgram } from "./s3-server-program.ts";

/** Those of every server that the tests start. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: "th-test-key", AWS_SECRET_ACCESS_KEY: "th-test-secret-0123456789" } as const;
export const BUCKET = "logs";
const READY_TIMEOUT_MS = 30_000;

export interface S3Server extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port`, or https. */
  readonly endpoint: string;
  /** PEM of the authority that its certificate is of; only where it speaks TLS. */
  readonly caFile: string | undefined;
  /** Where the bucket's objects are files. */
  readonly directory: string;
  stop(): Promise<void>;
  /** On the same port, with what it had. */
  start(): Promise<void>;
}

/** A real S3 server with one empty bucket, in a process that dies with this one. */
export async function startS3Server({ tls = false }: { tls?: boolean } = {}): Promise<S3Server> {
  const program = await s3ServerProgram();
  const root = await mkdtemp(join(tmpdir(), "th-s3-"));
  const data = join(root, "data");
  const [directory, sidecar, pki] = [join(data, BUCKET), join(root, "sidecar"), join(root, "pki")];
  for (const path of [directory, sidecar, pki]) await mkdir(path, { recursive: true });
  if (tls)
    await makeCertificates(pki, [{ file: "s3", subject: "/CN=s3.example.org", alternativeNames: ["DNS:s3.example.org", "IP:127.0.0.1"] }]);
  const { certificate, key } = certificatePaths(pki, "s3");
  const port = await findFreePort("127.0.0.1");
  let child: Child | undefined;

  async function start(): Promise<void> {
    const started = await startChild({
      command: program,
      args: [
        ...["--port", `127.0.0.1:${port}`, "--access", S3_CREDENTIALS.AWS_ACCESS_KEY_ID, "--secret", S3_CREDENTIALS.AWS_SECRET_ACCESS_KEY],
        ...(tls ? ["--cert", certificate, "--key", key] : []),
        // Keep-alive as every other server has it; metadata beside the files, as not every file system of a test takes attributes.
        ...["--keep-alive", "posix", "--sidecar", sidecar, data],
      ],
    });
    child = started;
    await waitUntil("the S3 server", READY_TIMEOUT_MS, async () => {
      if (started.hasExited) throw new Error(`the S3 server has ended:\n${started.log()}`);
      return isListening(port);
    });
  }

  await start();
  return {
    port,
    endpoint: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    caFile: tls ? join(pki, "ca.crt") : undefined,
    directory,
    start,
    async stop() {
      await child?.stop();
    },
    async [Symbol.asyncDispose]() {
      await child?.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const tell = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => tell(true)).on("error", () => tell(false));
  });
}
