import { renderFunctionName } from "./function-name.ts";
import { type Json, JsonNumber } from "./python-json.ts";

/** What a build is for; Zuul sends other parameters for each (`zuul/launcher/gearman.py` of Zuul 2.6, `launch`). */
export type ZuulItem =
  /** A change under review. `ref` is the whole name, `refs/zuul/<branch>/Z<32 hex digits>`; a commit that Zuul's merger never named is null. */
  | { kind: "change"; branch: string; number: string; patchset: string; ref: string; commit: string | null }
  /** A branch or tag that moved. A new one has forty zeros as `oldRevision`. */
  | { kind: "ref"; ref: string; oldRevision: string; newRevision: string }
  /** A timer: of the project, and of nothing in it. */
  | { kind: "timer" };

export interface ZuulRequest {
  jobName: string;
  /** 32 hex digits; also the request's unique. */
  uuid: string;
  project: string;
  pipeline: string;
  zuulUrl: string | null;
  isVoting: boolean;
  item: ZuulItem;
}

export const NO_REVISION = "0".repeat(40);

/**
 * The parameters that Zuul 2.6 sends, key by key, before a parameter-function changes them. `launch` has no change ahead of this one, so
 * ZUUL_CHANGES and ZUUL_CHANGE_IDS name this one only.
 */
export function renderZuulParameters(request: ZuulRequest): Record<string, string | null> {
  const base = baseLogPath(request.item);
  const path = [base, request.pipeline, request.jobName, request.uuid.slice(0, 7)].filter((part) => part !== "");
  return {
    ZUUL_UUID: request.uuid,
    ZUUL_PROJECT: request.project,
    ZUUL_PIPELINE: request.pipeline,
    ZUUL_URL: request.zuulUrl,
    ZUUL_VOTING: request.isVoting ? "1" : "0",
    ...itemParameters(request.project, request.item),
    BASE_LOG_PATH: base,
    LOG_PATH: path.join("/"),
  };
}

function itemParameters(project: string, item: ZuulItem): Record<string, string | null> {
  switch (item.kind) {
    case "change":
      return {
        ZUUL_BRANCH: item.branch,
        ZUUL_CHANGES: `${project}:${item.branch}:${gerritRefspec(item)}`,
        ZUUL_REF: item.ref,
        ZUUL_COMMIT: item.commit,
        ZUUL_CHANGE_IDS: `${item.number},${item.patchset}`,
        ZUUL_CHANGE: item.number,
        ZUUL_PATCHSET: item.patchset,
      };
    case "ref":
      return {
        ZUUL_REFNAME: item.ref,
        ZUUL_OLDREV: item.oldRevision,
        ZUUL_NEWREV: item.newRevision,
        ZUUL_REF: item.ref,
        ZUUL_COMMIT: item.newRevision,
      };
    case "timer":
      return {};
  }
}

/** Where Gerrit keeps a patchset. */
function gerritRefspec({ number, patchset }: { number: string; patchset: string }): string {
  return `refs/changes/${number.slice(-2).padStart(2, "0")}/${number}/${patchset}`;
}

/** Zuul's `Changeish.getBasePath`; unlike Gerrit it does not pad the number. */
function baseLogPath(item: ZuulItem): string {
  switch (item.kind) {
    case "change":
      return `${item.number.slice(-2)}/${item.number}/${item.patchset}`;
    case "ref":
      return `${item.newRevision.slice(0, 2)}/${item.newRevision}`;
    case "timer":
      return "";
  }
}

/**
 * The Gearman function that Zuul asks for: a parameter-function that sets ZUUL_NODE chooses the node label. Where that is no text, it is what
 * Python makes of `'%s' % value`; undefined for what nobody would name a node label by, as a list or a fraction.
 */
export function zuulFunctionName(jobName: string, parameters: Readonly<Record<string, Json>>): string | undefined {
  const node = Object.hasOwn(parameters, "ZUUL_NODE") ? parameters.ZUUL_NODE : undefined;
  if (node === undefined) return renderFunctionName(jobName);
  const label = renderPythonText(node);
  return label === undefined ? undefined : renderFunctionName(jobName, label);
}

function renderPythonText(value: Json): string | undefined {
  if (typeof value === "string") return value;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return value instanceof JsonNumber && /^-?[0-9]+$/.test(value.text) ? BigInt(value.text).toString() : undefined;
}
