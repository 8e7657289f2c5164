import { listed } from "../../core/report/listed.ts";
import { decideServedFunctions, type ServedFunctions } from "../../core/test-task/served-functions.ts";
import { testTaskKey } from "../../core/test-task/test-task.ts";
import { parseFunctionName } from "../../core/zuul/function-name.ts";
import { managerName } from "../../core/zuul/stop-request.ts";
import type { FunctionLine, WorkerLine } from "../../gearman/client/gearman-admin.ts";
import type { TestTasksSeen } from "../status/server-report.ts";
import { type Finding, failed, ok, unseen, warning } from "./finding.ts";

/** What a Gearman server has answered. */
export interface ServerFacts {
  readonly server: string;
  /** Of gearmand, as it says it; undefined: it does not say, as geard, or a gearmand that is busy. */
  readonly version: string | undefined;
  readonly lines: readonly FunctionLine[];
  /** undefined: the server does not say who its workers are. */
  readonly workers: readonly WorkerLine[] | undefined;
}

const MAX_LINES = 20;
const GEARMAN_PAGE = "docs/gearman.md, What to set";

/** What there is to say of one server. */
export function renderServer(facts: ServerFacts, seen: TestTasksSeen, installation: string): Finding[] {
  return [renderKind(facts), renderSettings(facts), renderManager(facts, installation), ...renderFunctions(facts, seen, installation)];
}

function renderKind({ server, version, lines }: ServerFacts): Finding {
  const known = `knows ${lines.length} functions`;
  if (version !== undefined) return ok(server, `gearmand ${version}, ${known}`);
  const says = `does not tell its version, as Zuul's own geard, ${known}`;
  return ok(server, `${says}; where it is geard, each lost link costs the builds on it one of their job's attempts`);
}

/** No Gearman server tells how it was started. */
function renderSettings({ server, version }: ServerFacts): Finding {
  const what = `${server} settings`;
  if (version === undefined) {
    const says = "it does not tell; Zuul 2.6 starts its geard without keepalive, so that Zuul misses a link that is lost without a word";
    return unseen(
      what,
      says,
      `where such networks are between, run gearmand, or a geard of your own with keepalive=True (${GEARMAN_PAGE})`,
    );
  }
  const says =
    "gearmand does not tell how it was started: whether links that are lost without a word are found, and in which order it gives builds out";
  const flags = "--round-robin --keepalive --keepalive-idle=60 --keepalive-interval=15 --keepalive-count=4, and no --job-retries";
  return unseen(what, says, `see that its command line has ${flags} (${GEARMAN_PAGE})`);
}

/** Each replica of the operator has registered this once, whatever its TestTasks are. */
function renderManager({ server, lines }: ServerFacts, installation: string): Finding {
  const what = `${server} operator`;
  const name = `stop:${managerName(installation)}`;
  const workers = lines.find((line) => line.name === name)?.workers ?? 0;
  if (workers > 0) return ok(what, `${workers} ${workers === 1 ? "replica is" : "replicas are"} connected (${name})`);
  const remedy = "is the operator running, and is this server in gearman.servers of its configuration, and reachable from its pod?";
  return failed(what, `no replica of the installation ${installation} is connected: nobody has registered ${name}`, remedy);
}

function renderFunctions(facts: ServerFacts, seen: TestTasksSeen, installation: string): Finding[] {
  const what = `${facts.server} functions`;
  if (!seen.isKnown) return [unseen(what, `the TestTasks are unknown: ${seen.why}`)];
  const served = decideServedFunctions(seen.tasks, seen.invalid);
  if (served.byFunction.size === 0) return [unseen(what, "no valid TestTask names one")];
  const suspended = new Set(seen.tasks.filter(({ spec }) => spec.suspend).map(testTaskKey));
  const troubles = [
    ...renderUnregistered(what, facts, served),
    ...renderTakers(facts, served, suspended, installation),
    ...renderWaiting(what, facts),
  ];
  if (facts.workers === undefined) {
    const remedy =
      "an older geard does not while a connection, as Zuul's, has no client id: ask gearadmin --workers there, or upgrade gear";
    troubles.push(unseen(`${facts.server} workers`, "the server does not say who serves the functions", remedy));
  }
  const isWell = troubles.every(({ state }) => state === "unseen");
  const by = facts.workers === undefined ? "" : ", and served by this installation alone";
  return [...(isWell ? [ok(what, `all ${served.byFunction.size} of the TestTasks are registered${by}`)] : []), ...troubles];
}

function renderUnregistered(what: string, { lines }: ServerFacts, { byFunction }: ServedFunctions): Finding[] {
  const workersOf = new Map(lines.map(({ name, workers }) => [name, workers]));
  const missing = [...byFunction.keys()].filter((name) => !workersOf.has(name));
  const left = [...byFunction.keys()].filter((name) => workersOf.get(name) === 0);
  const remedy = "is the operator running, and does it serve the TestTask's namespace? kubectl get testtasks; its log names the server";
  return [
    ...(missing.length > 0 ? [failed(what, `not registered, so that Zuul says NOT_REGISTERED: ${listed(missing)}`, remedy)] : []),
    ...(left.length > 0 ? [failed(what, `registered, and no worker is there any more: ${listed(left)}`, remedy)] : []),
  ];
}

/** Who else takes the builds of TestTasks' functions, and which of these nobody takes. */
function renderTakers(
  { server, workers }: ServerFacts,
  { byFunction }: ServedFunctions,
  suspended: ReadonlySet<string>,
  installation: string,
): Finding[] {
  if (workers === undefined) return [];
  const own = `turbo-hipster/${installation}/`;
  const foreign = new Map<string, Set<string>>();
  const registeredByUs = new Set<string>();
  const taken = new Set<string>();
  for (const { clientId, functions } of workers) {
    for (const name of functions) {
      if (!byFunction.has(name)) continue;
      if (!clientId.startsWith(own)) foreign.set(name, (foreign.get(name) ?? new Set()).add(clientId));
      else if (clientId.endsWith("/registrar")) registeredByUs.add(name);
      else taken.add(name);
    }
  }
  const findings = [...foreign].map(([name, clients]) => {
    const who = listed([...clients].sort(byText).map((id) => (id === "" || id === "-" ? "a worker without a name" : id)));
    const says = `also served by ${who}: a build goes to either of them`;
    return warning(`${server} ${name}`, says, "let one alone serve it: take the job away there, or from the TestTask's spec.jobs");
  });
  const idle = [...registeredByUs].filter((name) => !taken.has(name) && !suspended.has(byFunction.get(name)?.task ?? ""));
  if (idle.length > 0) {
    const says = `registered, but no replica takes them here: ${listed(idle)}`;
    findings.push(warning(`${server} functions`, says, "no replica holds the Lease, or it has just begun: its log and /readyz tell"));
  }
  return bounded(server, findings);
}

const byText = (left: string, right: string) => (left < right ? -1 : 1);

function bounded(server: string, findings: Finding[]): Finding[] {
  if (findings.length <= MAX_LINES) return findings;
  const says = `${findings.length - MAX_LINES} more functions are served by others, too`;
  const more = warning(`${server} functions`, says, `turbo-hipster status --server ${server} --json has clients of each`);
  return [...findings.slice(0, MAX_LINES), more];
}

/** Of any function: Zuul's change waits until somebody serves it. */
function renderWaiting(what: string, { lines }: ServerFacts): Finding[] {
  const stuck = lines.filter(({ waiting, workers }) => waiting > 0 && workers === 0).map(({ name }) => name);
  const builds = stuck.filter((name) => parseFunctionName(name) !== undefined);
  const others = stuck.filter((name) => parseFunctionName(name) === undefined);
  const tell = (names: string[], remedy: string) =>
    names.length === 0 ? [] : [warning(what, `requests wait that no worker serves: ${listed(names)}`, remedy)];
  return [
    ...tell(builds, "write a TestTask with such a job, or restart the Gearman server to forget the name"),
    ...tell(others, "they are no builds: is what serves them running, as Zuul's merger for merger:...?"),
  ];
}
