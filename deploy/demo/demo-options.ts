import { join } from "node:path";
import { Command, Option } from "commander";
import { InputError } from "../../src/runtime/errors.ts";

export interface DemoOptions {
  name: string;
  examples: string;
  keep?: boolean;
  down?: boolean;
  context?: string;
  image: string;
  hostAddress?: string;
}

const EXAMPLES = join(import.meta.dirname, "../examples");

const HELP = `
Without --context everything happens on this machine: the cluster is made for the demo (Linux and root; the first time it is
built, which takes minutes) and goes with it. In a terminal the demo stays up until Ctrl-C when it has shown its builds.

Examples:
  npm run demo                                          show it, and take everything down again
  npm run demo -- --keep                                leave cluster, Gearman server and operator running
  npm run demo -- --down                                take down what --keep, or a killed demo, has left
  npm run demo -- --context kind-kind --host-address 172.18.0.1

Exit codes: 0 every build had the expected result; 1 one had not, or the demo could not be run; 128 + N ended by signal N`;

/** Reads the command line; --help and mistakes end the process. Throws InputError for options that contradict each other. */
export function parseDemoOptions(args: string[]): DemoOptions {
  const options = new Command("npm run demo --")
    .description("Shows Turbo Hipster at work: plays Zuul, sends builds to a Gearman server, and a real Kubernetes runs them.")
    .option("--keep", "leave everything running at the end")
    .option("--down", "take down what an earlier demo of this name has left running, and do nothing else")
    .option("--name <name>", "name of the demo and its cluster; several can be up side by side", "demo")
    .addOption(new Option("--examples <directory>", "TestTasks to apply").default(EXAMPLES, "deploy/examples"))
    .option("--context <name>", "use this cluster of the kubeconfig, in a namespace of the demo's own, instead of a local one")
    .option("--image <reference>", "with --context: the image of this program (npm run image) that the cluster has", "turbo-hipster:dev")
    .option(
      "--host-address <address>",
      "with --context: address of this machine as the cluster's pods reach it, for git (default: guessed)",
    )
    .addHelpText("after", HELP)
    .showHelpAfterError("(npm run demo -- --help shows what there is)")
    .parse(args, { from: "user" })
    .opts<DemoOptions>();
  if (options.keep && options.down) throw new InputError("--keep or --down, not both");
  if (options.context === undefined && options.hostAddress !== undefined) throw new InputError("--host-address needs --context");
  return options;
}
