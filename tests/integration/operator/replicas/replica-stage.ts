import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { within } from "../../gearman/worker/link-harness.ts";
import { numberOf, type Stage, type StagedReplica, startStage } from "../stage.ts";

/** Far more than handing over takes, far less than a Lease lasts. */
const HANDOVER_MS = 8_000;

export const gearmand = () => startGearmand();
export const never = new AbortController().signal;
/** What tells Zuul's relaunch of a change from any other request. */
export const CHANGE = { ZUUL_REF: `refs/zuul/master/Z${"ab".repeat(16)}` };

/** A holder with a build that runs until `finish` is called, and a standby. */
export async function startTwo(start: typeof gearmand, spec: object = {}, config: object = {}) {
  const finished = Promise.withResolvers<void>();
  const script = () => ({ finished: finished.promise });
  const stage = await startStage({ start, config, proxiesApi: true, tasks: { unit: spec }, script });
  const holder = stage.replicas[0] as StagedReplica;
  const standby = await stage.startReplica();
  const unique = crypto.randomUUID().replaceAll("-", "");
  const build = await stage.submit("unit", { unique, parameters: CHANGE });
  const number = await numberOf(build);
  await stage.running(number);
  await stage.reached("running");
  return { stage, holder, standby, build, number, unique, finish: () => finished.resolve() };
}

/** One begins to drain, and the other takes builds; `drained` is when the first one's builds are over. */
export async function handOver(from: StagedReplica, to: StagedReplica): Promise<{ drained: Promise<number> }> {
  const drained = from.operator.drain(never);
  await within(to.logged("takes builds"), () => "the standby does not take over", HANDOVER_MS);
  return { drained };
}

/** Whose request the Job answers. */
export function requestOf(stage: Stage, number: string): { replica: string | null; unique: string; since: string } {
  const job = stage.jobs().find(({ metadata }) => metadata.name === number);
  return JSON.parse(job?.metadata.annotations?.["turbo-hipster.io/request"] ?? "{}");
}
