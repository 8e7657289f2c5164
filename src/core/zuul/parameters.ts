import { JsonError, type JsonMember, parseJsonObject } from "./python-json.ts";

/** The parameters of a Gearman request, as Zuul sends them: one JSON object. All of it is hostile text until parsed here. */
export interface Parameters {
  /** The received JSON text, byte for byte, `{}` for none at all; the file in the pod holds exactly this. */
  text: string;
  /** Its members. A `Map`, because a key may be `__proto__`. */
  values: ReadonlyMap<string, JsonMember>;
}

type ParsedParameters = { ok: true; parameters: Parameters } | { ok: false; problem: string };

/** An annotation holds at most 256 KiB with everything beside it; half of that is for the parameters. Counted on the received bytes. */
export const MAX_PARAMETERS_BYTES = 128 * 1024;

/** Far beyond what a parameter-function makes; 128 KiB could nest so deep that reading it exhausts the stack. */
const MAX_DEPTH = 100;

/** Linux takes 128 KiB for one `NAME=value`; beyond this size a value is only in the file. */
const MAX_ENV_VALUE_BYTES = 32 * 1024;

/**
 * Reads a request's payload, of which `receivedBytes` came over the wire (more than `payload` holds when it was cut). `problem` is a clause
 * for a person, fit for a result text.
 */
export function parseParameters(payload: Uint8Array, receivedBytes = payload.length): ParsedParameters {
  if (receivedBytes > MAX_PARAMETERS_BYTES) {
    return {
      ok: false,
      problem: `parameters of ${Math.ceil(receivedBytes / 1024)} KiB are over the limit of ${MAX_PARAMETERS_BYTES / 1024} KiB`,
    };
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    return { ok: false, problem: "the parameters of the request are not UTF-8 text" };
  }
  // A client that has nothing to say often says nothing, as one that only probes.
  if (text === "") return { ok: true, parameters: { text: "{}", values: new Map() } };
  try {
    const values = parseJsonObject(text, MAX_DEPTH);
    if (values === undefined) return { ok: false, problem: "the parameters of the request are no JSON object" };
    return { ok: true, parameters: { text, values } };
  } catch (error) {
    if (error instanceof JsonError) return { ok: false, problem: `the parameters of the request are ${error.message}` };
    throw error;
  }
}

/** The value of a parameter when it is text, else undefined. */
export function textParameter(parameters: Parameters, name: string): string | undefined {
  const value = parameters.values.get(name)?.value;
  return typeof value === "string" ? value : undefined;
}

interface ParameterEnvironment {
  /** Values as they must arrive, not yet escaped for Kubernetes' `$(NAME)` expansion. */
  variables: { name: string; value: string }[];
  /** Names left out of the environment and why; the file has them all. */
  omitted: { name: string; why: string }[];
}

const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The last five are what a shell runs, or is told, before a script's first line: `BASH_ENV=$(...)` would be a command of the request's. */
const RESERVED = /^(TH_.*|PATH|LD_.*|KUBERNETES_.*|HOME|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4)$/;

/** The environment variables that parameters become. What is no text is JSON, as it was written. */
export function parameterEnvironment(parameters: Parameters): ParameterEnvironment {
  const result: ParameterEnvironment = { variables: [], omitted: [] };
  for (const [name, { value, written }] of parameters.values) {
    const text = typeof value === "string" ? value : written;
    const why = reasonToOmit(name, text);
    if (why) result.omitted.push({ name, why });
    else result.variables.push({ name, value: text });
  }
  return result;
}

function reasonToOmit(name: string, text: string): string | undefined {
  if (!C_IDENTIFIER.test(name)) return "its name is no C identifier";
  if (RESERVED.test(name)) return "its name is reserved";
  if (text.includes("\0")) return "it holds a NUL character";
  if (!text.isWellFormed()) return "it holds a lone surrogate";
  if (new TextEncoder().encode(text).length > MAX_ENV_VALUE_BYTES) return `it is over ${MAX_ENV_VALUE_BYTES / 1024} KiB`;
  return undefined;
}

/**
 * Escapes text for a container's `env`, `command` and `args`, where Kubernetes expands `$(NAME)` and reads `$$` as `$`:
 * `$(DB_PASSWORD)` in a parameter must stay those characters.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
 */
export function escapeExpansion(text: string): string {
  return text.replaceAll("$", "$$$$");
}
