import assert from "node:assert/strict";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { performCheckout } from "../../../src/commands/checkout.ts";
import { CHECKOUT_EXIT_CODES } from "../../../src/core/checkout/problem.ts";
import { parseCheckoutRecord } from "../../../src/core/checkout/record.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { type CheckoutCase, type CheckoutWorld, startCheckoutWorld } from "../../support/zuul/checkout-shapes.ts";
import { type ClonerResult, runZuulCloner } from "../../support/zuul/zuul-cloner.ts";
import { makeZuulParameters } from "../../support/zuul/zuul-parameters.ts";

/**
 * Every shape of parameters that Zuul 2.6 sends, made by its own launcher, checked out by its own zuul-cloner and by ours from the same
 * repositories, which its own merger has left. The table in docs/checkout.md is what happened here; UPDATE=1 writes it.
 */
const PAGE = fileURLToPath(new URL("../../../docs/checkout.md", import.meta.url));
const [BEGIN, END] = ["<!-- the table of shapes -->", "<!-- its end -->"];

let world: CheckoutWorld;
const rows: string[] = [];

before(async () => {
  world = await startCheckoutWorld();
});
after(() => world?.stop());

type OurResult = { commits: Record<string, string> } | { failure: string; code: number };

async function checkout(parameters: Record<string, string>, { task }: CheckoutCase): Promise<OurResult> {
  const workspace = await realpath(await mkdtemp(join(tmpdir(), "turbo-hipster-workspace-")));
  try {
    const [file, message] = [join(workspace, "parameters"), join(workspace, "message")];
    await writeFile(file, JSON.stringify(parameters));
    const errors: string[] = [];
    const { projectBranches: projectBranch, projects: project, ...rest } = task;
    const code = await performCheckout(
      {
        path: workspace,
        allowedUrl: [],
        timeout: 60_000,
        // The judge takes a timer's own project from the merger, and so does ours where nothing is said of Gerrit.
        ...(project === undefined ? {} : { gitUrl: world.gerritUrl, project }),
        ...(projectBranch === undefined ? {} : { projectBranch }),
        ...rest,
      },
      {
        environment: { PATH: process.env.PATH, TH_PARAMETERS_FILE: file, TH_TERMINATION_FILE: message },
        clock: { ...systemClock, sleep: async () => {} },
        signal: new AbortController().signal,
        print: () => {},
        printError: (line) => void errors.push(line),
      },
    );
    if (code !== 0) return { failure: errors.join("\n"), code };
    const records = parseCheckoutRecord(await readFile(message, "utf8"));
    return { commits: Object.fromEntries(records.map(({ project: name, commit }) => [name, commit])) };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

const describeCommits = (result: { commits: Record<string, string> }) =>
  Object.entries(result.commits)
    .map(([project, commit]) => `${project} ${world.nameOf(commit)}`)
    .join("<br>");
const FAULTS = new Map<number, string>([
  [CHECKOUT_EXIT_CODES.network, "no result"],
  [CHECKOUT_EXIT_CODES.ref, "FAILURE"],
  [CHECKOUT_EXIT_CODES.configuration, "CONFIG_ERROR"],
]);
/** Without what is another one in each run. */
const generalize = (text: string) => text.replaceAll(/\b[0-9a-f]{12}\b/g, "...").replaceAll("127.0.0.1", "the merger");

function describeOurs(result: OurResult): string {
  if ("commits" in result) return describeCommits(result);
  return `${FAULTS.get(result.code) ?? `exit code ${result.code}`}: ${generalize(result.failure)}`;
}

function describeCloner(result: ClonerResult): string {
  return "commits" in result ? describeCommits(result) : "fails";
}

function describeTask({ projects, branch, projectBranches }: CheckoutCase["task"]): string {
  return [
    ...(projects ? [`projects: ${projects.join(", ")}`] : []),
    ...(branch ? [`branch: ${branch}`] : []),
    ...(projectBranches ? [`projectBranches: ${JSON.stringify(projectBranches).replaceAll('"', "").replaceAll(":", ": ")}`] : []),
  ].join("<br>");
}

describe("beside zuul-cloner", () => {
  test("every shape is checked out as it does, or better for a reason", async (t) => {
    const parameters = await makeZuulParameters(world.cases.map(({ shape }) => shape));
    for (const [index, each] of world.cases.entries()) {
      await t.test(each.what, async () => {
        const sent = { ...parameters[index], ...each.changes };
        const projects = [each.shape.project, ...(each.task.projects ?? [])];
        const [cloner, ours] = await Promise.all([
          runZuulCloner(sent, { ...each.task, gitUrl: world.gerritUrl, projects }),
          checkout(sent, each),
        ]);
        rows.push(
          `| ${each.what} | ${describeTask(each.task)} | ${describeCloner(cloner)} | ${describeOurs(ours)} | ${each.better ?? ""} |`,
        );
        if (each.better === undefined) {
          if ("failure" in cloner) assert.ok("failure" in ours, `zuul-cloner: ${cloner.failure}, ours: ${describeOurs(ours)}`);
          else assert.deepEqual("commits" in ours ? ours.commits : ours, cloner.commits);
        } else {
          assert.notDeepEqual("commits" in ours ? ours.commits : "failed", "commits" in cloner ? cloner.commits : "failed");
        }
      });
    }
  });

  test("the table in docs/checkout.md is what happened", async () => {
    const page = await readFile(PAGE, "utf8");
    const [head = "", rest = ""] = page.split(`${BEGIN}\n`);
    const tail = rest.slice(rest.indexOf(END));
    const table = ["| build | `checkout` of the task | zuul-cloner 2.6.0 | turbo-hipster | why |", "|---|---|---|---|---|", ...rows];
    const written = `${head}${BEGIN}\n\n${table.join("\n")}\n\n${tail}`;
    if (process.env.UPDATE) await writeFile(PAGE, written);
    else assert.equal(page, written, "run this file with UPDATE=1");
  });
});
