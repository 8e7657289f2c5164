import { Command } from "commander";
import { stringify } from "yaml";
import { loadConfig } from "../config.ts";
import type { ManifestInput } from "../core/job/manifest.ts";
import { buildNumber, payloadHash } from "../core/job/name.ts";
import { refuseBuild } from "../core/job/refusal.ts";
import { type Rendering, tryRenderJob } from "../core/job/rendering.ts";
import { datasetQuery, matchingDatasets } from "../core/test-task/datasets.ts";
import type { TestTaskDataset } from "../core/test-task/schema/dataset.ts";
import { namedFunctions } from "../core/test-task/served-functions.ts";
import { testTaskKey } from "../core/test-task/test-task.ts";
import { parseFunctionName } from "../core/zuul/function-name.ts";
import { parseParameters, textParameter } from "../core/zuul/parameters.ts";
import { InputError } from "../runtime/errors.ts";
import { sha256Hex } from "../runtime/sha256.ts";
import { VERSION } from "../version.ts";
import { chooseTask, readBytes } from "./choose-task.ts";
import { filenameOption } from "./filename-option.ts";
import { helpNotes } from "./help-notes.ts";

interface RenderFlags {
  params?: string;
  task?: string;
  function?: string;
  config?: string;
}

export function renderCommand(): Command {
  return new Command("render")
    .description("print the Job that a TestTask and a request would become, or of several datasets all Jobs, without a cluster")
    .argument("<file>", "file with the TestTask; - is standard input")
    .option("--params <file>", "the request's parameters, a JSON object as Zuul sends it (default: {})")
    .option("--task <name>", "which TestTask of the file (default: the only one)")
    .option("--function <name>", "Gearman function, build:<job> or build:<job>:<node label> (default: the task's first)")
    .option("--config <file>", "take installation, image and what else shapes a Job from this configuration")
    .addOption(filenameOption("render"))
    .addHelpText(
      "after",
      helpNotes(
        "The Job's name is made from what Gearman sends, so its last part differs for every real request.\n\nExit codes: 0 printed, 1 no Job comes of it, or unusable arguments",
      ),
    )
    .action(async (file: string, flags: RenderFlags) => {
      const jobs = (await render(file, flags)).map((job) => stringify(job, { lineWidth: 0, aliasDuplicateObjects: false }));
      process.stdout.write(jobs.join("---\n"));
    });
}

async function render(file: string, flags: RenderFlags): Promise<object[]> {
  const task = await chooseTask(file, flags.task);
  const functions = namedFunctions(task).map(({ name }) => name);
  const functionName = flags.function ?? functions[0] ?? "";
  const asked = parseFunctionName(functionName);
  if (!asked || !functions.includes(functionName)) {
    throw new InputError(`--function ${functionName}: ${testTaskKey(task)} serves ${functions.join(", ")}`);
  }
  const payload = flags.params === undefined ? Buffer.from("{}") : await readBytes(flags.params);
  const parsed = parseParameters(payload);
  if (!parsed.ok) throw new InputError(`${flags.params}: ${parsed.problem}`);
  const config = flags.config === undefined ? undefined : loadConfig(flags.config);
  const unique = textParameter(parsed.parameters, "ZUUL_UUID") ?? "0".repeat(32);
  const server = config?.gearman.servers[0] ?? "gearman:4730";
  const identity = { server, functionName, unique, payloadHash: payloadHash(payload, sha256Hex) };
  const refusal = refuseBuild(task, parsed.parameters, config === undefined || config.logs.store !== "none");
  if (refusal) throw new InputError(`${file}: no Job - ${refusal.why}`);
  const datasets = matchingDatasets(task.spec, datasetQuery(parsed.parameters));
  const input: Omit<ManifestInput, "dataset" | "member"> = {
    task,
    function: asked,
    parameters: parsed.parameters,
    request: {
      server,
      unique,
      number: buildNumber(task.metadata, identity, sha256Hex),
      logPath: textParameter(parsed.parameters, "LOG_PATH") ?? null,
      payloadHash: identity.payloadHash,
      handle: null,
      replica: "render",
      since: "1970-01-01T00:00:00.000Z",
    },
    settings: {
      installation: config?.installation ?? "turbo-hipster",
      image: config?.image ?? `turbo-hipster:${VERSION}`,
      checkout: config?.checkout ?? { allowedUrls: [] },
      internalUrl: config?.internalUrl ?? "http://turbo-hipster-internal:8081",
      podUser: config?.podUser,
    },
  };
  return renderAll(input, datasets).map((rendered) => {
    if (!rendered.ok) throw new InputError(`${file}: ${rendered.problem}`);
    return rendered.job;
  });
}

/** The lead first; what the others say of it is not known before it is made. */
function renderAll(input: Omit<ManifestInput, "dataset" | "member">, datasets: readonly TestTaskDataset[]): Rendering[] {
  if (datasets.length < 2) return [tryRenderJob({ ...input, dataset: datasets[0] })];
  const names = datasets.map(({ name }) => ({ name }));
  return datasets.map((dataset, index) =>
    tryRenderJob({ ...input, dataset, member: { index, datasets: names, since: input.request.since } }),
  );
}
