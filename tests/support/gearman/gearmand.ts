import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { tellProgress } from "../progress.ts";
import { type GearmanServer, type GearmanServerOptions, runGearmanServer } from "./gearman-server.ts";

/** Starts Debian's C gearmand (installed when missing and root). `extraArgs` go to its command line, e.g. `--job-retries=1`. */
export async function startGearmand(options: GearmanServerOptions & { extraArgs?: readonly string[] } = {}): Promise<GearmanServer> {
  await ensureDebianPackages(["gearman-job-server", "gearman-tools"], tellProgress);
  return runGearmanServer(
    {
      kind: "gearmand",
      child: (host, port) => ({
        command: "gearmand",
        args: [`--listen=${host}`, `--port=${port}`, "--log-file=stderr", "--verbose=INFO", ...(options.extraArgs ?? [])],
      }),
      listeningLine: (host, port) => `Listening on ${host}:${port}`,
    },
    options,
  );
}
