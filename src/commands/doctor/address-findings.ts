import { type Finding, failed, ok, warning } from "./finding.ts";

/** What a GET came to: its status and the beginning of its body, or why there was no answer. */
export type PageAnswer = { readonly status: number; readonly text: string } | { readonly problem: string };

const PUBLIC = "publicUrl";
const EXPOSE = "expose the public Service there, by ingress or httpRoute of the chart (docs/pages.md)";
/** A pod may have no way to an address of its own cluster's, or to any outside. */
const TRY = `open it where reviewers are; if it does not, ${EXPOSE}`;

/** Of `<publicUrl>/api/v1/builds?page=1`. */
export function renderPublicUrl(url: string, answer: PageAnswer): Finding {
  if ("problem" in answer) {
    const says = `${url} does not open from here: ${answer.problem}`;
    // As for a first look through kubectl port-forward; in a pod it is the pod.
    return isLocal(url) ? warning(PUBLIC, says, `it leads to the reader's own machine; for others, ${EXPOSE}`) : failed(PUBLIC, says, TRY);
  }
  const { status } = answer;
  if (status === 401 || status === 403 || (status >= 300 && status < 400)) {
    const says = `${url} answers ${status}: a login is before it, as it seems`;
    return warning(PUBLIC, says, "see with a browser that reviewers get to the pages behind it");
  }
  if (status === 200 && isBuildsList(answer.text)) return ok(PUBLIC, `${url} opens, with this program's pages`);
  if (status === 503 || status === 502) {
    return failed(PUBLIC, `${url} answers ${status}: nothing ready is behind it`, "is the operator running? kubectl get pods,endpoints");
  }
  return failed(PUBLIC, `${url} answers ${status}, and not as this program's pages do`, EXPOSE);
}

function isLocal(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

/** `{"builds":[...],...}`, of which only the beginning may be there. */
function isBuildsList(text: string): boolean {
  return /^\s*\{\s*"builds"\s*:\s*\[/.test(text);
}

export function renderNoPublicUrl(): Finding {
  const says = "is not set: links in Zuul's reports lead to the operator's own host name, which few can reach";
  return warning(PUBLIC, says, `set publicUrl in the configuration, and ${EXPOSE}`);
}

const INTERNAL = "internalUrl";
const DNS =
  "a Service's name is known to the cluster's DNS alone, whose pods kubectl --namespace kube-system get pods --selector k8s-app=kube-dns shows";

/** Of `<internalUrl>/healthz`. */
export function renderInternalUrl(url: string, answer: PageAnswer): Finding {
  const remedy = "it must be the internal Service's, as builds' pods reach it: the chart sets it, helm test asks from such a pod";
  if ("problem" in answer) return failed(INTERNAL, `${url} does not open from here: ${answer.problem}`, `${remedy}; ${DNS}`);
  if (answer.status === 200 && answer.text.startsWith("ok")) return ok(INTERNAL, `${url} opens from here`);
  return failed(INTERNAL, `${url} answers ${answer.status}: ${firstLine(answer.text)}`, remedy);
}

const ZUUL = "zuul_url";

/** Of `<zuul_url>/<project>/info/refs?service=git-upload-pack`, which git asks for first. */
export function renderZuulUrl(url: string, project: string, answer: PageAnswer): Finding {
  const remedy = "it must be zuul_url of [merger] in zuul.conf, open to builds' pods; --project names a project that Zuul has merged";
  if ("problem" in answer) return failed(ZUUL, `${url} does not open from here: ${answer.problem}`, remedy);
  const { status, text } = answer;
  if (status === 200 && isRefs(text)) return ok(ZUUL, `${url}/${project} is a git repository, seen from here`);
  if (status === 200) return failed(ZUUL, `${url}/${project} answers, and not as git does`, remedy);
  if (status === 401 || status === 403) {
    return warning(ZUUL, `${url}/${project} asks for a login`, "a task needs checkout.credentials: docs/checkout.md");
  }
  return failed(ZUUL, `${url}/${project} answers ${status}`, remedy);
}

/** git-http-backend's answer, or the file that a plain web server has after git update-server-info. */
function isRefs(text: string): boolean {
  return /^[0-9a-f]{4}# service=git-upload-pack\n/.test(text) || /^[0-9a-f]{40}\trefs\//.test(text);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.slice(0, 200) ?? "";
}
