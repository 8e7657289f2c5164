import { renderPublicUrl as renderUrl } from "../../kube/client/public-url.ts";
import { coerceError } from "../../runtime/errors.ts";
import { type PageAnswer, renderInternalUrl, renderNoPublicUrl, renderPublicUrl, renderZuulUrl } from "./address-findings.ts";
import { type Finding, unseen } from "./finding.ts";
import { type DoctorWorld, look } from "./look.ts";

const ANSWER_MS = 10_000;
/** Enough to know an answer by; whatever follows is not read. */
const MAX_BYTES = 4096;

export async function lookAtPublicUrl(url: string | undefined, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined) return [renderNoPublicUrl()];
  return ask(`${withoutSlash(url)}/api/v1/builds?page=1`, world, (answer) => renderPublicUrl(renderUrl(url), answer));
}

export async function lookAtInternalUrl(url: string | undefined, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined) return [unseen("internalUrl", "is not set: builds' pods are given the operator's own host name")];
  return ask(`${withoutSlash(url)}/healthz`, world, (answer) => renderInternalUrl(renderUrl(url), answer));
}

export async function lookAtZuulUrl(url: string | undefined, project: string, world: DoctorWorld): Promise<Finding[]> {
  if (url === undefined)
    return [unseen("zuul_url", "nobody said what it is", "name it with --zuul-url, and a project there with --project")];
  if (!/^https?:\/\//i.test(url)) return [unseen("zuul_url", "only http and https are looked at", "a canary's checkout fetches by all")];
  const base = withoutSlash(url);
  const refs = `${base}/${project.split("/").map(encodeURIComponent).join("/")}/info/refs?service=git-upload-pack`;
  return ask(refs, world, (answer) => renderZuulUrl(renderUrl(url), project, answer));
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
  const { target, login } = splitLogin(url);
  const headers = { connection: "close", ...(login === undefined ? {} : { authorization: login }) };
  let response: Response;
  try {
    response = await fetch(target, { signal, redirect: "manual", headers });
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

/** fetch takes no login in a URL, as git does, and would print it. */
function splitLogin(url: string): { target: string; login?: string } {
  const target = new URL(url);
  const { username, password } = target;
  if (username === "" && password === "") return { target: target.href };
  Object.assign(target, { username: "", password: "" });
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { target: target.href, login: `Basic ${Buffer.from(pair).toString("base64")}` };
}

function renderCause(thrown: unknown): string {
  const { message, code } = coerceError(thrown) as NodeJS.ErrnoException;
  return message || (code ?? "the connection failed");
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
