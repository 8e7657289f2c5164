import { spawn } from "node:child_process";
import { Command } from "commander";
import { coerceError, TurboHipsterError } from "../../src/runtime/errors.ts";
import { requireClusterHost } from "../../tools/machine/prerequisites.ts";
import { printStatus } from "./cluster-status.ts";
import { DEFAULT_CLUSTER, downCluster, findCluster, type LocalCluster, loadImage, nameFlag, upCluster } from "./local-cluster.ts";

const log = (line: string) => console.error(line);
const program = new Command("npm run cluster --")
  .description("A real Kubernetes cluster of one node on this machine: etcd, API server, controllers, scheduler, kubelet, containerd, DNS.")
  .enablePositionalOptions();

function command(usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--name <name>", "which cluster; several can be up side by side", DEFAULT_CLUSTER);
}

command("up", "bring the cluster up (builds it the first time, which takes minutes)").action(async ({ name }: { name: string }) => {
  const started = performance.now();
  const isInterrupted = takeDownOnSignals(name);
  const cluster = await upCluster({ name, log });
  if (isInterrupted()) return;
  const flag = nameFlag(name);
  console.log(`cluster ${name} is up (${((performance.now() - started) / 1000).toFixed(1)} s); use it with
  export KUBECONFIG=${cluster.kubeconfig}
  npm run cluster -- kubectl${flag} get nodes
  npm run cluster -- load${flag} ARCHIVE     (images, as docker save or npm run image make them)
  npm run cluster -- down${flag}
Pods reach this machine at ${cluster.hostAddress}; this machine reaches pods and services at their addresses.`);
});

command("down", "take the cluster away with everything it made; what was built stays in the cache").action(
  async ({ name }: { name: string }) => {
    const started = performance.now();
    await downCluster({ name, log });
    console.log(`cluster ${name} is down after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  },
);

command("status", "show what of the cluster runs; exit code 1 when it is not up").action(async ({ name }: { name: string }) => {
  requireClusterHost();
  if (!(await printStatus(name))) process.exitCode = 1;
});

command("load", "import the images of an archive made by docker save, buildah or npm run image")
  .argument("<archive>")
  .action(async (archive: string, { name }: { name: string }) => {
    requireClusterHost();
    for (const image of await loadImage(name, archive)) console.log(`loaded ${image}`);
  });

for (const tool of ["kubectl", "helm"] as const) {
  command(tool, `run ${tool} on the cluster; options of its own after its first word`)
    .argument("[words...]")
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[], { name }: { name: string }) => {
      requireClusterHost();
      const cluster = await findCluster(name, log);
      if (cluster === null) throw new TurboHipsterError("TH_CLUSTER", `cluster ${name} is not up: npm run cluster -- up${nameFlag(name)}`);
      process.exitCode = await runTool(cluster, tool, words);
    });
}

/** Whoever interrupts an `up` wants no half of a cluster. Gives what tells whether that happened and ends the listening. */
function takeDownOnSignals(name: string): () => boolean {
  let interrupted = false;
  const takeDown = (signal: NodeJS.Signals) => {
    interrupted = true;
    log(`${signal}: taking cluster ${name} down again`);
    // Waits for the `up` to end, or goes first if that is still building.
    downCluster({ name, log }).then(
      () => process.exit(signal === "SIGINT" ? 130 : 143),
      (error) => {
        log(coerceError(error).message);
        process.exit(1);
      },
    );
  };
  process.once("SIGINT", takeDown).once("SIGTERM", takeDown);
  return () => {
    process.off("SIGINT", takeDown).off("SIGTERM", takeDown);
    return interrupted;
  };
}

function runTool(cluster: LocalCluster, tool: "kubectl" | "helm", words: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(cluster[tool], words, { stdio: "inherit", env: { ...process.env, KUBECONFIG: cluster.kubeconfig } });
    // Ctrl-C is for the tool; this ends when the tool has ended.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

try {
  await program.parseAsync();
} catch (thrown) {
  const error = coerceError(thrown);
  console.error(error instanceof TurboHipsterError ? error.message : error);
  process.exitCode = 1;
}
