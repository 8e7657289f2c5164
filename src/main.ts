import { Command } from "commander";
import { coerceError, InputError } from "./runtime/errors.ts";
import { VERSION } from "./version.ts";

/** Loads one command's code only when it is asked for: the in-pod ones must start quickly, and the Kubernetes client is large. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  operator: async () => (await import("./commands/operator.ts")).operatorCommand(),
  submit: async () => (await import("./commands/submit.ts")).submitCommand(),
  logs: async () => (await import("./commands/logs.ts")).logsCommand(),
  explain: async () => (await import("./commands/explain.ts")).explainCommand(),
  status: async () => (await import("./commands/status.ts")).statusCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  validate: async () => (await import("./commands/validate.ts")).validateCommand(),
  check: async () => (await import("./commands/check.ts")).checkCommand(),
  limits: async () => (await import("./commands/limits.ts")).limitsCommand(),
  render: async () => (await import("./commands/render.ts")).renderCommand(),
  import: async () => (await import("./commands/import.ts")).importCommand(),
  checkout: async () => (await import("./commands/checkout.ts")).checkoutCommand(),
  collect: async () => (await import("./commands/collect.ts")).collectCommand(),
  completion: async () => (await import("./commands/completion.ts")).completionCommand(loadOthers),
};

/** All but the command that asks. */
function loadOthers(): Promise<Command[]> {
  return Promise.all(Object.keys(COMMANDS).flatMap((name) => (name === "completion" ? [] : (COMMANDS[name]?.() ?? []))));
}

/** Runs the program with its arguments (without node and script). Bad input ends it with exit code 1 and a message without a stack. */
export async function main(args: string[]): Promise<void> {
  const program = new Command("turbo-hipster")
    .description("Runs Zuul's builds on Kubernetes: takes them from Gearman, makes each a Job, tells Zuul the result.")
    .version(VERSION)
    // Else options of `import layout` would be taken for those of `import`.
    .enablePositionalOptions()
    .showHelpAfterError("(turbo-hipster --help shows what there is)")
    .showSuggestionAfterError();
  const wanted = args.find((arg) => !arg.startsWith("-"));
  const loader = wanted !== undefined && Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  const loaders = loader ? [loader] : isVersionWanted(args) ? [] : Object.values(COMMANDS);
  for (const load of loaders) program.addCommand(await load());
  if (wanted !== undefined && loader === undefined) await suggestNearest(program);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.error(`turbo-hipster: ${error.message}`);
    process.exitCode = 1;
  }
}

/** The package's own suggestions go further: logs for bogus. */
async function suggestNearest(program: Command): Promise<void> {
  const { nearestName } = await import("./core/test-task/field-hints.ts");
  program.on("command:*", ([name = ""]: string[]) => {
    const nearest = nearestName(name, Object.keys(COMMANDS));
    program.error(`error: unknown command '${name}'${nearest === undefined ? "" : `\n(Did you mean ${nearest}?)`}`);
  });
}

function isVersionWanted([first]: string[]): boolean {
  return first === "--version" || first === "-V";
}

main(process.argv.slice(2)).catch((error) => {
  console.error(coerceError(error));
  process.exitCode = 70;
});
