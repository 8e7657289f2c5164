import { randomBytes } from "node:crypto";
import { renderZuulParameters } from "../../src/core/zuul/launch-parameters.ts";
import { renderPythonJson } from "../../src/core/zuul/python-json.ts";

/** Where Zuul's merger has left a change. */
export interface MergedChange {
  zuulUrl: string;
  project: string;
  ref: string;
  commit: string;
}

/** The build of a change, as Zuul asks for it; each is of a change of its own unless it is of the one given. */
export function renderZuulRequest(uuid: string, jobName: string, change?: MergedChange): string {
  const ref = change?.ref ?? `refs/zuul/master/Z${randomBytes(16).toString("hex")}`;
  return renderPythonJson(
    renderZuulParameters({
      jobName,
      uuid,
      project: change?.project ?? "example/project",
      pipeline: "check",
      zuulUrl: change?.zuulUrl ?? null,
      isVoting: true,
      item: { kind: "change", branch: "master", number: "1", patchset: "1", ref, commit: change?.commit ?? null },
    }),
  );
}
