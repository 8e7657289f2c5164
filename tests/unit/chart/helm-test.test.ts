import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { CommandError, runCommand } from "../../../tools/machine/run-command.ts";
import { find, LEAST_VALUES, renderChart } from "./render-chart.ts";

interface Variable {
  name: string;
  value: string;
}

const podOf = async (values: object = {}) =>
  find(await renderChart({ ...LEAST_VALUES, ...values }, { namespace: "operators", hooks: true }), "Pod");

/** Runs the pod's command beside an operator that answers so; its output, or the error of a command that failed. */
async function runBeside(answers: readonly { status: number; body: string }[], patienceMs = 60_000): Promise<string | CommandError> {
  const { command, args } = (await podOf()).spec.containers[0];
  const left = [...answers];
  const paths: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    const { status, body } = (left.length > 1 ? left.shift() : left[0]) ?? { status: 500, body: "" };
    response.writeHead(status, { connection: "close" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const env = { INTERNAL_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, PATIENCE_MS: String(patienceMs) };
    return await runCommand(process.execPath, [...command.slice(1), ...args], { env });
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  } finally {
    server.close();
    assert.deepEqual(new Set(paths), new Set(["/readyz"]));
  }
}

describe("helm test", () => {
  test("runs a pod as builds' pods are: in their namespace, with their labels and image, under the restricted standard", async () => {
    const config = {
      ...LEAST_VALUES.config,
      namespaces: ["builds", "more"],
      image: "r.example/in-pod:1",
      internalUrl: "http://op.example:1",
    };
    const { metadata, spec } = await podOf({ config, commonLabels: { team: "ci" } });
    assert.equal(metadata.namespace, "builds");
    const everywhere = { config: { ...config, namespaces: ["*"] }, networkPolicy: { builds: { enabled: false } } };
    assert.equal((await podOf(everywhere)).metadata.namespace, "operators");
    const { team, "app.kubernetes.io/managed-by": manager, "turbo-hipster.io/installation": installation } = metadata.labels ?? {};
    assert.deepEqual([team, manager, installation], ["ci", "turbo-hipster", "turbo-hipster"]);
    // Or the Services would lead to it.
    assert.equal(metadata.labels?.["app.kubernetes.io/name"], undefined);
    assert.match(metadata.annotations?.["helm.sh/hook"] ?? "", /^test$/);
    const [container] = spec.containers;
    assert.equal(container.image, "r.example/in-pod:1");
    const env = Object.fromEntries(container.env.map(({ name, value }: Variable) => [name, value]));
    assert.equal(env.INTERNAL_URL, "http://op.example:1");
    assert.ok(Number(env.PATIENCE_MS) < spec.activeDeadlineSeconds * 1000);
    assert.deepEqual(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    assert.equal(container.securityContext.allowPrivilegeEscalation, false);
  });

  test("passes once the operator is ready and registered everywhere", async () => {
    const waits = { status: 503, body: "waits for the first list of TestTasks, Jobs and pods\n" };
    const half = { status: 200, body: "ok, stands by\na:4730 registered\nb:4730 not connected\n" };
    const good = { status: 200, body: "ok, takes builds\na:4730 registered\nb:4730 registered\n" };
    const output = await runBeside([waits, half, good]);
    assert.match(String(output), /takes builds/);
  });

  for (const [what, body] of [
    ["a Gearman server that is not connected", "ok, takes builds\na:4730 not connected\n"],
    ["a namespace that is not served", "ok, takes builds\na:4730 registered\nci: forbidden\n"],
  ] as const) {
    test(`fails for ${what}, and says so`, async () => {
      const ended = await runBeside([{ status: 200, body }], 1);
      assert.ok(ended instanceof CommandError && ended.exitCode === 1, String(ended));
    });
  }
});
