import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../../../deploy/local/certificates.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { type Child, startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { tellProgress } from "../progress.ts";

const EXAMPLES = join(import.meta.dirname, "../../../deploy/examples/tls");
const READY_TIMEOUT_MS = 20_000;

/** worker -> stunnel -> TLS -> stunnel -> server: Debian's stunnel with the example configurations, each in a process of its own. */
interface TlsTunnel extends AsyncDisposable {
  /** "host:port" for the worker. */
  readonly address: string;
  /** "host:port" where the server's end speaks TLS. */
  readonly tlsAddress: string;
  /** PEM of the authority, of the worker and of the server. */
  read(file: "ca.crt" | "worker.crt" | "worker.key"): Promise<string>;
  /** Kills the server's end with all its connections. */
  cut(): Promise<void>;
  /** Starts the server's end again on the same port. */
  restore(): Promise<void>;
}

export async function startTlsTunnel(target: { port: number }): Promise<TlsTunnel> {
  await ensureDebianPackages(["stunnel4", "openssl"], tellProgress);
  const directory = await mkdtemp(join(tmpdir(), "th-tls-"));
  await makeCertificates(directory, [
    { file: "server", subject: "/CN=gearman.example.org", alternativeNames: ["DNS:gearman.example.org"] },
    { file: "worker", subject: "/CN=turbo-hipster" },
  ]);
  const tlsPort = await findFreePort();
  const workerPort = await findFreePort();
  await writeExample("stunnel-server.conf", {
    "0.0.0.0:4731": `127.0.0.1:${tlsPort}`,
    "127.0.0.1:4730": `127.0.0.1:${target.port}`,
  });
  await writeExample("stunnel-worker.conf", {
    "gearman.example.org:4731": `127.0.0.1:${tlsPort}`,
    "accept = 127.0.0.1:4730": `accept = 127.0.0.1:${workerPort}`,
  });

  /** The example, with this test's addresses and certificates in place of the ones written there. */
  async function writeExample(name: string, replaced: Record<string, string>): Promise<void> {
    let text = await readFile(join(EXAMPLES, name), "utf8");
    for (const [from, to] of Object.entries({ ...replaced, "/etc/stunnel": directory })) {
      if (!text.includes(from)) throw new Error(`${name} does not say "${from}"`);
      text = text.replaceAll(from, to);
    }
    await writeFile(join(directory, name), text);
  }

  async function startEnd(name: string): Promise<Child> {
    const child = await startChild({ command: "stunnel4", args: [join(directory, name)] });
    await child.logged("Configuration successful", READY_TIMEOUT_MS);
    return child;
  }

  const worker = await startEnd("stunnel-worker.conf");
  let server = await startEnd("stunnel-server.conf");
  return {
    address: `127.0.0.1:${workerPort}`,
    tlsAddress: `127.0.0.1:${tlsPort}`,
    read: (file) => readFile(join(directory, file), "utf8"),
    async cut() {
      server.kill("SIGKILL");
      await server.exited;
    },
    async restore() {
      server = await startEnd("stunnel-server.conf");
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([server.stop(), worker.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
