import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { tellProgress } from "../progress.ts";

export interface GitSshServer {
  /** `ssh://<user>@<host>:<port><root>`: what Zuul sends as ZUUL_URL. */
  readonly url: string;
  readonly port: number;
  /** The private key that is let in, in OpenSSH's format. */
  readonly key: string;
  /** Another, that is not. */
  readonly otherKey: string;
  /** The line of its host key for known_hosts. */
  readonly knownHosts: string;
  log(): string;
  stop(): Promise<void>;
}

/** OpenSSH's own server, as the user of this process; whoever has the key may run what that user may, as git does. `files` is a directory of its own. */
export async function startGitSshServer(root: string, files: string, host = "127.0.0.1"): Promise<GitSshServer> {
  await ensureDebianPackages(["openssh-server", "openssh-client"], tellProgress);
  // Where root's sshd leaves its privileges, made by its service elsewhere.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const makeKey = async (name: string) => {
    await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(files, name)]);
    return readFile(join(files, name), "utf8");
  };
  const [, key, otherKey] = [await makeKey("host"), await makeKey("client"), await makeKey("other")];
  await writeFile(join(files, "authorized_keys"), await readFile(join(files, "client.pub")), { mode: 0o600 });
  const port = await findFreePort(host);
  const settings = {
    ListenAddress: `${host}:${port}`,
    HostKey: join(files, "host"),
    AuthorizedKeysFile: join(files, "authorized_keys"),
    PidFile: "none",
    UsePAM: "no",
    StrictModes: "no",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    PermitRootLogin: "prohibit-password",
    LogLevel: "VERBOSE",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  await writeFile(join(files, "sshd_config"), lines.join(""));
  const child = await startChild({ command: "/usr/sbin/sshd", args: ["-D", "-e", "-f", join(files, "sshd_config")] });
  await child.logged("Server listening on", 10_000).catch(async (error) => {
    await child.stop();
    throw error;
  });
  const hostKey = (await readFile(join(files, "host.pub"), "utf8")).split(" ").slice(0, 2).join(" ");
  return {
    url: `ssh://${userInfo().username}@${host}:${port}${root}`,
    port,
    key,
    otherKey,
    knownHosts: `[${host}]:${port} ${hostKey}`,
    log: () => child.log(),
    stop: async () => void (await child.stop()),
  };
}
