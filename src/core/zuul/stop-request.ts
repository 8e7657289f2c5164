/** The manager name that Zuul sends `stop:` to; it belongs to the installation, so that any replica may answer. */
export function managerName(installation: string): string {
  return `turbo-hipster-${installation}`;
}

const MAX_NUMBER_LENGTH = 253;

/**
 * The number in a `stop:<manager>` request, whose payload is `{"name": <job name>, "number": <as we sent it>}` (Zuul's
 * `zuul/launcher/gearman.py`, `cancelRunningBuild`); undefined when it names none.
 */
export function parseStopRequest(payload: Uint8Array): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
  const number = typeof value === "object" && value !== null && "number" in value ? value.number : undefined;
  return typeof number === "string" && number !== "" && number.length <= MAX_NUMBER_LENGTH ? number : undefined;
}
