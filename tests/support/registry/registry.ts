import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { certificatePaths, makeCertificates } from "../../../deploy/local/certificates.ts";
import { startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { goProgram } from "../go-program.ts";

/** Who may use every registry that the tests start. */
export const REGISTRY_USER = { username: "th-test", password: "th-test-password" } as const;
/** A line of a file of htpasswd's: bcrypt of that password. */
const HTPASSWD = `${REGISTRY_USER.username}:$2b$04$OC6eyHAPkyw.eawBmqWXDOSkhiKtuZjaqUACc85gaa8O18AdJdD22\n`;
const READY_TIMEOUT_MS = 30_000;

export interface Registry extends AsyncDisposable {
  /** `HOST:PORT`, as the name of an image begins. */
  readonly address: string;
  /** A directory with `ca.crt`, PEM of the authority that its certificate is of. */
  readonly authority: string;
  /** The lines that it has logged of requests. */
  requests(): string[];
}

/**
 * The CNCF's registry (github.com/distribution/distribution), empty, in a process that dies with this one: TLS with an authority of its own,
 * and for REGISTRY_USER alone. Throws as `goProgram` does.
 */
export async function startRegistry(host: string): Promise<Registry> {
  const program = await goProgram({
    ...{ title: "a registry", name: "registry", package: "." },
    sources: join(import.meta.dirname, "distribution"),
  });
  await using stack = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "th-registry-"));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const [pki, authority] = [join(root, "pki"), join(root, "authority")];
  for (const path of [pki, authority]) await mkdir(path);
  await makeCertificates(pki, [{ file: "registry", subject: "/CN=registry.example.org", alternativeNames: [`IP:${host}`] }]);
  await copyFile(join(pki, "ca.crt"), join(authority, "ca.crt"));
  const { certificate, key } = certificatePaths(pki, "registry");
  await writeFile(join(root, "htpasswd"), HTPASSWD);
  const address = `${host}:${await findFreePort(host)}`;
  const configuration = {
    version: 0.1,
    log: { accesslog: { disabled: false }, level: "info" },
    storage: { filesystem: { rootdirectory: join(root, "data") } },
    http: { addr: address, tls: { certificate, key } },
    auth: { htpasswd: { realm: "tests", path: join(root, "htpasswd") } },
  };
  await writeFile(join(root, "config.yaml"), stringify(configuration));
  const child = await startChild({ command: program, args: ["serve", join(root, "config.yaml")], env: { OTEL_TRACES_EXPORTER: "none" } });
  stack.defer(async () => void (await child.stop()));
  await child.logged("listening on", READY_TIMEOUT_MS);
  const started = stack.move();
  return {
    address,
    authority,
    requests: () =>
      child
        .log()
        .split("\n")
        .filter((line) => / "(GET|HEAD|PUT|POST|PATCH) \/v2\//.test(line)),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
