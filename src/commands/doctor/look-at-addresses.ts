import { coerceError } from "../../runtime/errors.ts";
import { type PageAnswer, renderInternalUrl, renderNoPublicUrl, renderPublicUrl, renderZuulUrl } from "./address-findings.ts";
import { type Finding, unseen } from "./finding.ts";
import { type DoctorWorld, look } from "./look.ts";

const ANSWER_MS = 10_000;
/** Enough to know an answer by; whatever follows is not read. */
const MAX_BYTES = 4096;

export async function lookAtPublicUrl(url: string | undefined, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined) return [renderNoPublicUrl()];
  return ask(`${withoutSlash(url)}/api/v1/builds?page=1`, world, (answer) => renderPublicUrl(url, answer));
}

export async function lookAtInternalUrl(url: string | undefined, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined) return [unseen("internalUrl", "is not set: builds' pods are given the operator's own host name")];
  return ask(`${withoutSlash(url)}/healthz`, world, (answer) => renderInternalUrl(url, answer));
}

export async function lookAtZuulUrl(url: string | undefined, project: string, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined)
    return [unseen("zuul_url", "which it is was not said", "name it with --zuul-url, and a project there with --project")];
  if (!/^https?:\/\//i.test(url)) return [unseen("zuul_url", "only http and https are looked at", "a canary's checkout fetches by all")];
  const base = withoutSlash(url);
  const refs = `${base}/${project.split("/").map(encodeURIComponent).join("/")}/info/refs?service=git-upload-pack`;
  return ask(refs, world, (answer) => renderZuulUrl(base, project, answer));
}

function ask(url: string, world: DoctorWorld, render: (answer: PageAnswer) => Finding): Promise<Finding[]> {
  return look(
    world,
    async (signal) => [render(await get(url, signal))],
    (problem) => [render({ problem })],
    ANSWER_MS,
  );
}

async function get(url: string, signal: AbortSignal): Promise<PageAnswer> {
  let response: Response;
  try {
    response = await fetch(url, { signal, redirect: "manual", headers: { connection: "close" } });
  } catch (thrown) {
    signal.throwIfAborted();
    const { message, cause } = coerceError(thrown);
    return { problem: cause === undefined ? message : renderCause(cause) };
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_BYTES) break;
  }
  return { status: response.status, text: Buffer.concat(chunks).subarray(0, MAX_BYTES).toString() };
}

function renderCause(thrown: unknown): string {
  const { message, code } = coerceError(thrown) as NodeJS.ErrnoException;
  return message || (code ?? "the connection failed");
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
