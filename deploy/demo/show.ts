import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { InputError } from "../../src/runtime/errors.ts";
import { ensureDebianPackages } from "../../tools/machine/debian-packages.ts";
import { applyTestTaskDefinition } from "../local/test-task-definition.ts";
import { checkFromPod, prepareContextTarget } from "./context-target.ts";
import { MIGRATION_DATASETS, planCrowd, planMigration, planScenes, submitCommandLine, UNIT_JOB } from "./demo-builds.ts";
import type { DemoOptions } from "./demo-options.ts";
import type { DemoPaths, DemoRecord } from "./demo-record.ts";
import { type DemoServers, startServers } from "./demo-servers.ts";
import { type DemoTarget, prepareLocalTarget } from "./demo-target.ts";
import { readExampleTasks } from "./example-tasks.ts";
import { type FinishedBuild, followBuild, followCrowd, isAsExpected, resultOf, type ZuulSurroundings } from "./play-zuul.ts";
import { createSampleProject, SAMPLE_PROJECT } from "./sample-project.ts";
import { renderTable, type Screen } from "./screen.ts";

const ROOT = join(import.meta.dirname, "../..");
const CROWD_SIZE = 20;
const LOG_LINES = 8;

interface ShowSettings {
  options: DemoOptions;
  paths: DemoPaths;
  screen: Screen;
  stop: AbortController;
  /** Notes what will have to be taken down. */
  remember(change: Partial<DemoRecord>): void;
}

/** What the demo shows, from the empty machine to the table of results. It leaves taking down to its caller, at whatever point it throws. */
export class Show {
  readonly #settings: ShowSettings;
  #target: DemoTarget | undefined;
  #servers: DemoServers | undefined;
  #tries: string[] = [];
  #page: string | undefined;

  constructor(settings: ShowSettings) {
    this.#settings = settings;
  }

  /** Resolves with whether every build had the expected result. Throws the reason of `stop` soon after it aborts. */
  async run(): Promise<boolean> {
    const { options, screen, paths } = this.#settings;
    screen.heading("1. A Kubernetes cluster");
    const target = await this.#step(this.#prepareTarget());
    this.#target = target;

    screen.heading("2. TestTasks: which of Zuul's jobs run how");
    await this.#step(this.#applyTasks(target, options.examples));

    screen.heading("3. A project with changes under review, a Gearman server and the operator");
    for (const directory of [paths.repositories, paths.logs]) mkdirSync(directory, { recursive: true });
    const project = await this.#step(createSampleProject(paths.repositories));
    const scenes = await this.#step(planScenes(project));
    const crowd = await this.#step(planCrowd(project, CROWD_SIZE));
    const migration = await this.#step(planMigration(project));
    const zuul = await this.#step(this.#startServers(target));

    screen.heading("4. Builds, one after the other");
    const finished: FinishedBuild[] = [];
    for (const { title, build } of scenes) {
      screen.print(`\n${title}`);
      const end = await this.#step(followBuild(build, zuul));
      finished.push(end);
      await this.#step(this.#showLog(end));
    }

    screen.heading(`5. ${CROWD_SIZE} builds at once`);
    finished.push(...(await this.#step(followCrowd(crowd, zuul))));

    screen.heading("6. A migration on two datasets");
    screen.print("\nIt works on both, and takes too long on the larger one: a check of the log says so, though the test passed");
    const migrated = await this.#step(followBuild(migration, zuul));
    finished.push(migrated);
    await this.#step(this.#showMembers(migrated));

    screen.heading("7. What reviewers see");
    await this.#step(this.#showTable(finished));
    this.#tries = this.#listTries(finished, zuul);
    return finished.every(isAsExpected);
  }

  /** Lets everything run on. */
  async keep(): Promise<void> {
    const { screen, remember, options } = this.#settings;
    await this.#servers?.keep();
    remember({ isKept: true });
    this.#printTries();
    screen.print(
      `\nEverything keeps running. This takes it down:\n  npm run demo -- --down${options.name === "demo" ? "" : ` --name ${options.name}`}`,
    );
  }

  /** Says what can be tried and waits for Ctrl-C. */
  async stayUp(): Promise<void> {
    const { screen, stop } = this.#settings;
    this.#printTries();
    screen.print("\nEverything stays up until Ctrl-C.");
    const { promise, resolve } = Promise.withResolvers<void>();
    stop.signal.addEventListener("abort", () => resolve());
    if (!stop.signal.aborted) await promise;
  }

  /** The work's outcome, unless the demo is to end: then the reason for that. */
  async #step<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#settings.stop;
    try {
      return await work;
    } finally {
      signal.throwIfAborted();
    }
  }

  async #prepareTarget(): Promise<DemoTarget> {
    const { options, screen, remember } = this.#settings;
    const log = (line: string) => screen.say(line);
    const { name, context, image, hostAddress } = options;
    if (context === undefined) return prepareLocalTarget(name, log);
    const onNamespace = () => remember({ madeNamespace: true });
    return prepareContextTarget(name, { context, image, hostAddress, onNamespace }, log);
  }

  async #applyTasks(target: DemoTarget, directory: string): Promise<void> {
    const { screen, options, remember } = this.#settings;
    const { files, yaml } = readExampleTasks(directory, target.image);
    const isDefined = await target.kubectl(["get", "crd", "testtasks.turbo-hipster.io", "--ignore-not-found", "--output=name"]);
    if (isDefined === "") {
      if (options.context !== undefined) remember({ madeDefinition: true });
      await applyTestTaskDefinition((...args) => target.kubectl(args));
    }
    const applied = await target.kubectl(["apply", "--filename", "-"], yaml).catch((error: Error) => {
      throw new InputError(`the cluster refuses the TestTasks of ${directory}\n${error.message}`);
    });
    screen.say(`applied ${files.map((file) => relative(process.cwd(), join(directory, file))).join(", ")}\n${applied.trimEnd()}`);
  }

  async #startServers(target: DemoTarget): Promise<ZuulSurroundings> {
    const { screen, paths, options, remember, stop } = this.#settings;
    const log = (line: string) => screen.say(line);
    await ensureDebianPackages(["gearman-job-server", "gearman-tools", "util-linux"], log);
    const servers = await startServers(
      {
        repositories: paths.repositories,
        listen: target.listen,
        host: target.host,
        operatorConfig: paths.config,
        operatorLog: paths.operatorLog,
        operatorArguments: target.operatorArguments,
        config: {
          ...{ installation: options.name, namespaces: [target.namespace], image: target.image },
          logs: { store: "files", directory: paths.logs },
        },
      },
      { log: paths.serversLog, onStart: (identity) => remember({ servers: identity }) },
    );
    this.#servers = servers;
    servers.failed.catch((error) => stop.abort(error));
    const zuulUrl = `git://${target.host}:${servers.gitPort}`;
    log(`serving ${zuulUrl}/${SAMPLE_PROJECT}, a small calculator with tests, as Zuul's merger does`);
    log(`gearmand listens at ${servers.gearman}, the operator takes builds from it`);
    if (options.context !== undefined) await checkFromPod(target, `${zuulUrl}/${SAMPLE_PROJECT}`, log);
    await target.kubectl(["wait", "testtasks", "--all", "--for=condition=Registered", "--timeout=60s"]);
    log(`their jobs are registered there:\n${(await target.kubectl(["get", "testtasks"])).trimEnd()}`);
    const deletePod = async (number: string) => {
      await target.kubectl(["delete", "pods", `--selector=batch.kubernetes.io/job-name=${number}`, "--wait=false"]);
    };
    return { server: servers.gearman, zuulUrl, screen, leave: stop.signal, deletePod };
  }

  async #showLog({ end }: FinishedBuild): Promise<void> {
    if (typeof end.number === "string") await this.#showLogOf(end.number);
  }

  /** Each dataset has a Job of its own, and a page; the build's leads to both. */
  async #showMembers({ end }: FinishedBuild): Promise<void> {
    const { screen } = this.#settings;
    for (const [index, dataset] of MIGRATION_DATASETS.entries()) {
      screen.print(`           on the dataset ${dataset}:`);
      await this.#showLogOf(`${end.number}-${index}`);
    }
    if (end.url !== null) screen.print(`           the page with both of them: ${end.url}`);
  }

  async #showLogOf(jobName: string): Promise<void> {
    const { screen } = this.#settings;
    const log = await this.#target?.kubectl(["logs", `job/${jobName}`, "--container=test", `--tail=${LOG_LINES}`]).catch(() => undefined);
    const lines = log?.trimEnd().split("\n") ?? ["(no log: its pod is gone, or there was none)"];
    screen.print(lines.map((line) => screen.style("dim", `           | ${line}`)).join("\n"));
  }

  async #showTable(finished: readonly FinishedBuild[]): Promise<void> {
    const { screen } = this.#settings;
    const pods = await this.#findPods();
    const rows = finished.map(({ plan, end, seconds }) => [
      plan.jobName,
      `${plan.change.number},1`,
      resultOf(end),
      pods.get(String(end.number)) ?? pods.get(`${end.number}-0`) ?? "-",
      seconds.toFixed(1),
    ]);
    const [header = "", ...lines] = renderTable([["JOB", "CHANGE", "RESULT", "POD", "SECONDS"], ...rows]);
    screen.print([screen.style("bold", header), ...lines].join("\n"));
    const wrong = finished.filter((build) => !isAsExpected(build));
    for (const { plan, end } of wrong) {
      screen.print(
        screen.style(
          "red",
          `NOT AS EXPECTED: ${plan.jobName} of change ${plan.change.number},1 should be ${plan.expected ?? "none"}, it is ${resultOf(end)}`,
        ),
      );
    }
    if (wrong.length === 0) screen.print(screen.style("green", `\nAll ${finished.length} results are as expected.`));
    else screen.print(screen.style("red", `\n${wrong.length} of ${finished.length} results are not as expected.`));
  }

  /** The pod of each Job. */
  async #findPods(): Promise<Map<string, string>> {
    const { items } = JSON.parse((await this.#target?.kubectl(["get", "pods", "--output=json"])) ?? '{"items":[]}') as {
      items: { metadata: { name: string; labels?: Record<string, string> } }[];
    };
    return new Map(items.map(({ metadata }) => [metadata.labels?.["batch.kubernetes.io/job-name"] ?? "", metadata.name]));
  }

  #listTries(finished: readonly FinishedBuild[], zuul: ZuulSurroundings): string[] {
    const kubectl = this.#target?.kubectlForPeople ?? "kubectl";
    const failed = finished.find(({ plan, end }) => plan.jobName === UNIT_JOB && end.result !== "SUCCESS") ?? finished[0];
    if (failed === undefined) return [];
    this.#page = failed.end.url ?? undefined;
    return [
      `${kubectl} get tt`,
      `${kubectl} describe tt unit-tests`,
      `${kubectl} get jobs,pods`,
      `${kubectl} logs job/${failed.end.number} --container test`,
      ...(failed.end.url === null ? [] : [`node_modules/.bin/node src/main.ts explain ${failed.end.url}`]),
      submitCommandLine(failed.plan, { gearman: zuul.server, zuulUrl: zuul.zuulUrl }),
      `tail -f ${this.#settings.paths.operatorLog}`,
    ];
  }

  #printTries(): void {
    const { screen } = this.#settings;
    screen.heading(`Try next, in ${ROOT}:`);
    screen.print(this.#tries.map((command) => `  ${command}`).join("\n"));
    if (this.#page !== undefined) screen.print(`\nThe page of one of the builds, with a way to all others:\n  ${this.#page}`);
  }
}
