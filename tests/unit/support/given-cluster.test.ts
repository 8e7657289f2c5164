import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { InputError } from "../../../src/runtime/errors.ts";
import { prepareGivenCluster, requireContext } from "../../support/cluster/given-cluster.ts";
import { NEED_HOST, NEED_OWN_CLUSTER } from "../../support/left-out-files.ts";

const PATH = process.env.PATH;
const CHOICE = { context: "kind-b", image: "registry.example.org/turbo-hipster:1", hostAddress: "127.0.0.1" };

/** A kubectl that notes what it is asked, and answers from the files beside it. */
const KUBECTL = `#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/asked"
case "$*" in
  *"version --client"*) ;;
  *"version --output=json"*) echo '{"serverVersion":{"gitVersion":"v1.35.0"}}' ;;
  *get-contexts*) cat "$here/contexts" ;;
  *"get customresourcedefinition"*) cat "$here/definition" ;;
  *"get serviceaccount"*) echo serviceaccount/default ;;
  *"get pod"*) cat "$here/pod" ;;
  *"delete mutating"*) echo "error: the server doesn't have a resource type "mutatingadmissionpolicies"" >&2; exit 1 ;;
  *"delete namespaces"*) test ! -s "$here/refusal" || { cat "$here/refusal" >&2; exit 1; } ;;
  *logs*) echo "connect ECONNREFUSED" ;;
  *"config view --raw --flatten --minify"*) echo "of this context alone" ;;
  *"create --filename"*) cat > "$here/created" ;;
esac
`;

let directory: string;
let lines: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "th-given-"));
  lines = [];
  answer({ contexts: "kind-a\nkind-b\n", definition: "", pod: { status: { phase: "Succeeded" } }, asked: "" });
  writeFileSync(join(directory, "kubectl"), KUBECTL);
  chmodSync(join(directory, "kubectl"), 0o755);
  process.env.PATH = `${directory}${delimiter}${PATH}`;
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(directory, { recursive: true });
});

function answer(files: Record<string, string | object>): void {
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

const prepare = (change: Partial<typeof CHOICE> = {}) => prepareGivenCluster({ ...CHOICE, ...change }, (line) => lines.push(line));
const asked = () => readFileSync(join(directory, "asked"), "utf8").trimEnd().split("\n");
/** Namespaces that were made, and such as were deleted. */
const namespaces = (verb: string) => asked().flatMap((line) => new RegExp(`${verb} namespace (\\S+)`).exec(line)?.[1] ?? []);
const waiting = (reason: string) => ({ status: { phase: "Pending", containerStatuses: [{ state: { waiting: { reason } } }] } });

describe("a cluster that somebody else made", () => {
  test("is handed to tests by a file that holds its context alone, and what they make goes when they leave", async () => {
    const { cluster, leftOut, leave } = await prepare();
    assert.deepEqual(leftOut, NEED_OWN_CLUSTER);
    assert.deepEqual([cluster.image, cluster.hostAddress, cluster.kubectl], [CHOICE.image, "127.0.0.1", "kubectl"]);
    assert.equal(readFileSync(cluster.kubeconfig, "utf8"), "of this context alone\n");
    assert.equal(statSync(cluster.kubeconfig).mode & 0o777, 0o600);
    assert.match(lines.join("\n"), /kind-b is a Kubernetes v1\.35\.0; the tests were written for v1\.36/);
    assert.deepEqual(namespaces("delete"), namespaces("create"));
    assert.ok(asked().every((line) => line.startsWith("--context kind-b ") || line === "version --client"));
    assert.match(readFileSync(join(directory, "created"), "utf8"), new RegExp(`"image":"${CHOICE.image}"`));
    await leave();
    assert.equal(existsSync(cluster.kubeconfig), false);
    const made = asked().filter((line) => line.includes(" --selector app.kubernetes.io/managed-by=turbo-hipster-tests "));
    assert.ok(made.some((line) => line.includes(" delete namespaces ")) && made.some((line) => line.includes(" delete customresourcedef")));
    assert.match(asked().at(-1) ?? "", /^--context kind-b .*delete customresourcedefinition testtasks\.turbo-hipster\.io /);
  });

  test("that does not let go of what tests made makes their end fail", async () => {
    const { leave } = await prepare();
    answer({ refusal: "Error from server (Forbidden)" });
    await assert.rejects(leave(), /Forbidden/);
    assert.match(asked().at(-1) ?? "", / delete customresourcedefinition testtasks\./, "all else goes nevertheless");
  });

  test("whose pods don't reach this machine gets no files that need that", async () => {
    answer({ pod: { status: { phase: "Failed" } } });
    const { leftOut, leave } = await prepare();
    await leave();
    assert.deepEqual(new Set(Object.keys(leftOut)), new Set([...Object.keys(NEED_OWN_CLUSTER), ...NEED_HOST]));
    assert.match(leftOut[NEED_HOST[0] ?? ""] ?? "", /those of context kind-b don't reach 127\.0\.0\.1 \(--host-address /);
  });

  test("is one of the kubeconfig's, or those that it has are named", async () => {
    const require = (context: string) => requireContext(context, (line) => lines.push(line));
    await require("kind-a");
    await assert.rejects(require("kind-c"), { name: "InputError", message: /no context kind-c; there are kind-a, kind-b$/ });
    answer({ contexts: "" });
    await assert.rejects(require("kind-a"), { name: "InputError", message: /no context kind-a; it has none$/ });
  });

  /** The answers, what differs in the choice, and what is said. */
  const refusals: Record<string, [Record<string, string | object>, Partial<typeof CHOICE>, RegExp]> = {
    "knows TestTasks already": [
      { definition: "customresourcedefinition/x\n" },
      {},
      /knows TestTasks already.*--context kind-b delete crd testtasks/,
    ],
    "lacks the image": [
      { pod: waiting("ErrImagePull") },
      {},
      /no image registry\.example\.org\/turbo-hipster:1\. .*\n.*\n {2}kind load docker-image/,
    ],
    "is to reach an address that is not ours": [{}, { hostAddress: "192.0.2.1" }, /can't listen on 192\.0\.2\.1; .*--host-address/],
  };
  for (const [name, [answers, change, words]] of Object.entries(refusals)) {
    test(`is refused when it ${name}, and nothing is left there`, async () => {
      answer(answers);
      await assert.rejects(prepare(change), (error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, words);
        return true;
      });
      assert.deepEqual(namespaces("delete"), namespaces("create"));
      assert.ok(asked().every((line) => !line.includes("delete customresourcedefinition")));
    });
  }
});
