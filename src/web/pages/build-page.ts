import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Answer } from "../server.ts";

export interface BuildView {
  number: string;
  namespace: string;
  jobName: string;
  step: string;
  pod: string | undefined;
  withdrawn: string | undefined;
  verdict: Verdict | undefined;
}

const BUILD_PATH = /^\/builds\/([a-z0-9.-]{1,253})$/;

/** The page of one build, as plain text, for as long as its Job is kept. */
export function renderBuildPage(path: string, find: (number: string) => BuildView | undefined): Answer | undefined {
  const number = BUILD_PATH.exec(path)?.[1];
  if (number === undefined) return undefined;
  const build = find(number);
  if (!build) return { status: 404, body: `No build ${number} is under way, and its Job is not kept any more.\n` };
  const lines = [
    `Build      ${build.number}`,
    `Namespace  ${build.namespace}`,
    `Job        ${build.jobName}`,
    `Pod        ${build.pod ?? "none yet"}`,
    `Step       ${build.step}`,
    ...(build.withdrawn ? [`Ending     ${build.withdrawn}`] : []),
    ...(build.verdict ? [`Result     ${build.verdict.result ?? "none, Zuul runs it again"}`, `Because    ${build.verdict.message}`] : []),
    "",
    `Log: kubectl --namespace ${build.namespace} logs job/${build.jobName} --follow`,
  ];
  return { status: 200, body: `${lines.join("\n")}\n` };
}
