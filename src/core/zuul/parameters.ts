/** The parameters of a Gearman request, as Zuul sends them: one JSON object. All of it is hostile text until parsed here. */
export interface Parameters {
  /** The received JSON text, byte for byte; the file in the pod holds exactly this. */
  text: string;
  /** Its members. A `Map`, because a key may be `__proto__`. */
  values: ReadonlyMap<string, unknown>;
}

type ParsedParameters = { ok: true; parameters: Parameters } | { ok: false; problem: string };

/** An annotation holds at most 256 KiB with everything beside it; half of that is for the parameters. Counted on the received bytes. */
export const MAX_PARAMETERS_BYTES = 128 * 1024;

/** Far beyond what a parameter-function makes; 128 KiB could nest so deep that writing it as JSON exhausts the stack. */
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
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, problem: "the parameters of the request are not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ok: false, problem: "the parameters of the request are no JSON object" };
  }
  if (isDeeperThan(MAX_DEPTH, value)) return { ok: false, problem: `the parameters of the request are nested more than ${MAX_DEPTH} deep` };
  return { ok: true, parameters: { text, values: new Map(Object.entries(value)) } };
}

/** Level by level, as recursion is what is to be prevented. */
function isDeeperThan(depth: number, value: object): boolean {
  let level: object[] = [value];
  for (let reached = 1; level.length > 0; reached += 1) {
    if (reached > depth) return true;
    level = level.flatMap((each) => Object.values(each)).filter((each) => typeof each === "object" && each !== null);
  }
  return false;
}

/** The value of a parameter when it is text, else undefined. */
export function textParameter(parameters: Parameters, name: string): string | undefined {
  const value = parameters.values.get(name);
  return typeof value === "string" ? value : undefined;
}

interface ParameterEnvironment {
  /** Values as they must arrive, not yet escaped for Kubernetes' `$(NAME)` expansion. */
  variables: { name: string; value: string }[];
  /** Names left out of the environment and why; the file has them all. */
  omitted: { name: string; why: string }[];
}

const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RESERVED = /^(TH_.*|PATH|LD_.*|KUBERNETES_.*|HOME)$/;

/** The environment variables that parameters become. Values that are no text are written as JSON. */
export function parameterEnvironment(parameters: Parameters): ParameterEnvironment {
  const result: ParameterEnvironment = { variables: [], omitted: [] };
  for (const [name, value] of parameters.values) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
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
