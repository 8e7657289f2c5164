import { NO_REVISION, renderZuulParameters, type ZuulItem, zuulFunctionName } from "../../core/zuul/launch-parameters.ts";
import { type Json, JsonError, parseJsonObject, renderPythonJson } from "../../core/zuul/python-json.ts";
import { parseServerAddress } from "../../gearman/wire/server-address.ts";
import { InputError } from "../../runtime/errors.ts";
import type { SubmitRequest } from "./submit-build.ts";

/** The command's options, as text from a person. */
export interface SubmitFlags {
  server: string;
  project: string;
  pipeline: string;
  zuulUrl?: string;
  branch?: string;
  change?: string;
  ref?: string;
  commit?: string;
  node?: string;
  param?: readonly string[];
  unique?: string;
  timeout?: number;
  wait?: boolean;
}

/** Zuul makes both anew for each build (`uuid`) and each build set (`refName`, after `refs/zuul/<branch>/`). */
interface FreshNames {
  uuid: string;
  refName: string;
}

const DEFAULT_CHANGE = "1,1";
const DEFAULT_BRANCH = "master";

/**
 * What Zuul would send for these options. `fileParameters`: the text of `--params-file`, laid over Zuul's own parameters as a
 * parameter-function does it; `--param` comes last. Throws InputError that names the option.
 */
export function makeSubmitRequest(
  jobName: string,
  flags: SubmitFlags,
  fileParameters: string | undefined,
  fresh: FreshNames,
): SubmitRequest {
  if (!/^[^\s:\0]+$/.test(jobName)) {
    throw new InputError(
      `JOB ${JSON.stringify(jobName)}: name Zuul's job alone, without build:, blanks or colons (--node adds a node label)`,
    );
  }
  const { host, port } = parseServerAddress(flags.server);
  const uuid = flags.unique ?? fresh.uuid;
  if (!/^[\x21-\x7e]{1,63}$/.test(uuid)) throw new InputError("--unique: 1 to 63 printable ASCII characters; gearmand cuts longer ones");
  const parameters: Record<string, Json> = {
    ...renderZuulParameters({
      jobName,
      uuid,
      project: flags.project,
      pipeline: flags.pipeline,
      zuulUrl: flags.zuulUrl ?? null,
      isVoting: true,
      item: decideItem(flags, fresh.refName),
    }),
    ...(flags.node === undefined ? {} : { ZUUL_NODE: flags.node }),
    ...(fileParameters === undefined ? {} : parseFileParameters(fileParameters)),
    ...Object.fromEntries((flags.param ?? []).map(parseParam)),
  };
  const functionName = zuulFunctionName(jobName, parameters);
  if (functionName === undefined) {
    throw new InputError(`ZUUL_NODE is ${renderPythonJson(parameters.ZUUL_NODE)}: write the node label as text`);
  }
  if (/[\s\0]/.test(functionName)) throw new InputError(`ZUUL_NODE makes the function ${JSON.stringify(functionName)}: no blanks, please`);
  return {
    server: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    jobName,
    functionName,
    unique: uuid,
    payload: renderPythonJson(parameters),
    waitsForWorker: flags.wait ?? false,
    ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
  };
}

/** A change with `--change`, `--branch` or a ref that Zuul's merger makes; a branch or tag with any other ref; else a timer. */
function decideItem({ change, branch, ref, commit }: SubmitFlags, refName: string): ZuulItem {
  const branchOfRef = ref === undefined ? undefined : /^refs\/zuul\/(?<branch>.+)\/[^/]+$/.exec(ref)?.groups?.branch;
  if (change !== undefined || branch !== undefined || branchOfRef !== undefined) {
    const [, number, patchset] = /^(\d+),(\d+)$/.exec(change ?? DEFAULT_CHANGE) ?? [];
    if (number === undefined || patchset === undefined) {
      throw new InputError(`--change ${change}: write it as NUMBER,PATCHSET, for example 1234,1`);
    }
    const chosen = branch ?? branchOfRef ?? DEFAULT_BRANCH;
    return { kind: "change", branch: chosen, number, patchset, ref: ref ?? `refs/zuul/${chosen}/${refName}`, commit: commit ?? null };
  }
  if (ref === "HEAD") {
    throw new InputError("--ref HEAD: Zuul names a branch or a tag; git ls-remote --symref URL HEAD tells which branch that is");
  }
  if (ref !== undefined) {
    if (commit === undefined) {
      throw new InputError(`--ref ${ref} needs --commit: Zuul always sends the revision of a branch or tag (git ls-remote URL ${ref})`);
    }
    return { kind: "ref", ref, oldRevision: NO_REVISION, newRevision: commit };
  }
  if (commit !== undefined) throw new InputError("--commit needs --ref or --change: Zuul names no commit for a timer's build");
  return { kind: "timer" };
}

function parseParam(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new InputError(`--param ${text}: write it as NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Far more than the operator takes. */
const MAX_DEPTH = 200;

/** Its numbers go out as they are written. */
function parseFileParameters(text: string): Record<string, Json> {
  try {
    const members = parseJsonObject(text, MAX_DEPTH);
    if (members) return Object.fromEntries([...members].map(([name, { value }]) => [name, value]));
  } catch (error) {
    if (error instanceof JsonError) throw new InputError(`--params-file: ${error.message}`, { cause: error });
    throw error;
  }
  throw new InputError('--params-file: write one JSON object, for example {"DEVSTACK_GATE_TEMPEST": "1"}');
}
