import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Finding } from "../../../src/commands/doctor/finding.ts";
import { type DoctorFlags, performDoctor } from "../../../src/commands/doctor.ts";
import { fetchVersion } from "../../../src/gearman/client/gearman-admin.ts";
import { makeSlotPool } from "../../../src/gearman/worker/slot-pool.ts";
import { LEASES, TEST_TASKS } from "../../../src/kube/client/resource.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { startChild } from "../../support/child-process.ts";
import { startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { processClock } from "../../support/process-clock.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { startScriptedServer } from "../gearman/hostile/scripted-server.ts";
import { startTestLink, untilStatus } from "../gearman/worker/link-harness.ts";
import { NAMESPACE, type Stage, startStage } from "../operator/stage.ts";

/** For servers that never answer: their half a minute is three seconds of those that this process had. */
const impatient: Clock = {
  ...processClock,
  schedule: (delayMs, callback) => processClock.schedule(delayMs / 10, callback),
  sleep: (delayMs, signal) => processClock.sleep(delayMs / 10, signal),
};

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "th-doctor-"));
});
after(() => rm(directory, { recursive: true, force: true }));

async function doctor(config: object, flags: Partial<DoctorFlags> = {}, clock: Clock = systemClock) {
  const file = join(directory, "config.yaml");
  await writeFile(file, JSON.stringify({ namespaces: [NAMESPACE], ...config }));
  const { signal } = new AbortController();
  const out: string[] = [];
  const errors: string[] = [];
  const exitCode = await performDoctor(
    { config: file, project: "example/project", json: true, ...flags },
    {
      ...{ clock, signal, leave: signal, paint: (_, line) => line },
      print: (line) => out.push(line),
      printError: (line) => errors.push(line),
    },
  );
  const findings: Finding[] = exitCode !== 2 && flags.json !== false ? JSON.parse(out.join("\n")).findings : [];
  return { exitCode, findings, text: out.join("\n"), errors: errors.join("\n") };
}

const of = (findings: readonly Finding[], what: string) => findings.find((each) => each.what === what);
const not = (findings: readonly Finding[], ...states: string[]) =>
  findings.filter(({ state }) => !states.includes(state)).map(({ what, state, says }) => `${state} ${what}: ${says}`);

async function serve(answer: (path: string, login: string | undefined) => string | undefined): Promise<Server & { url: string }> {
  const server = createServer((request, response) => {
    const body = answer(request.url ?? "", request.headers.authorization);
    if (body === undefined) return;
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(server, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** Those of `stage` that is up, with a store. */
function configOf(stage: Stage, more: object = {}) {
  const { ports } = stage.operator;
  return {
    gearman: { servers: [stage.link.address] },
    logs: { store: "files", directory },
    publicUrl: `http://127.0.0.1:${ports.public}`,
    internalUrl: `http://127.0.0.1:${ports.internal}/`,
    ...more,
  };
}

describe("doctor", () => {
  for (const [kind, startServer] of [
    ["gearmand", () => startGearmand()],
    ["geard", () => startGeard()],
  ] as [string, () => Promise<GearmanServer>][]) {
    test(`finds nothing amiss with an operator at work on ${kind}, and its canary tells the rest`, async () => {
      await using stage = await startStage({
        start: startServer,
        makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
        config: { logs: { store: "files", directory } },
        tasks: { unit: { pipelines: ["gate"] }, broken: {} },
        script: (job) => (job.metadata.name.startsWith("broken") ? { exitCode: 1 } : {}),
      });
      await untilStatus(stage.server, (all) => (all.get("build:unit")?.workers ?? 0) >= 2 && all.has("build:broken"));
      await stage.until(() => isReady(stage, "unit") && isReady(stage, "broken"), "both TestTasks to be ready");
      const login = `Basic ${Buffer.from("zuul:s@cret").toString("base64")}`;
      const zuul = await serve((path, given) =>
        path.startsWith("/p/openstack/nova/info/refs?") && given === login ? "001e# service=git-upload-pack\n" : "",
      );
      try {
        const flags = {
          kubeconfig: stage.kube.kubeconfig,
          zuulUrl: `${zuul.url.replace("//", "//zuul:s%40cret@")}/p/`,
          project: "openstack/nova",
          canary: "unit",
        };
        const { exitCode, findings } = await doctor(configOf(stage), flags);
        // As whom the fake knows who asks.
        assert.deepEqual(
          not(findings, "ok", "unseen"),
          [of(findings, "API server")].map((each) => `warning API server: ${each?.says}`),
        );
        assert.equal(exitCode, 0);
        assert.doesNotMatch(JSON.stringify(findings), /s(%40|@)cret/);
        for (const what of ["log store", "publicUrl", "internalUrl", "zuul_url", "canary build", "image", "TestTask definition"])
          assert.equal(of(findings, what)?.state, "ok", what);
        assert.match(of(findings, stage.link.address)?.says ?? "", kind === "gearmand" ? /^gearmand 1\./ : /geard/);
        assert.match(of(findings, "canary build")?.says ?? "", /^ci\/unit, build unit-[0-9a-f]{16}: SUCCESS/);
        assert.deepEqual(
          not(findings, "ok", "warning").map((line) => line.split(":")[0]),
          [`unseen ${stage.link.address.split(":")[0]}`, "unseen zuul_url from a pod"],
        );
        assert.equal((await readdir(directory)).includes("doctor"), false, "nothing is left in the store");

        const failing = await doctor(configOf(stage), { ...flags, canary: "ci/broken", json: false });
        assert.equal(failing.exitCode, 1);
        assert.match(failing.text, /^FAILED {4}canary build +ci\/broken, build broken-[0-9a-f]{16}: FAILURE/m);
        assert.match(failing.errors, /submitted build:broken/);
        const none = await doctor(configOf(stage), { ...flags, canary: "nowhere" });
        assert.match(of(none.findings, "canary build")?.says ?? "", /no valid TestTask nowhere/);
      } finally {
        zuul.close();
      }
    });
  }

  test("names who else serves a job, rights that are missing, and an operator that is not there", async () => {
    await using server = await startGearmand();
    await using kube = await startFakeKube();
    await using launcher = await startTestLink([server.address]);
    launcher.link.setRegistrations({
      functions: ["build:unit"],
      lanes: [{ name: "shared", functions: ["build:unit"], slots: makeSlotPool({ capacity: 1 }) }],
    });
    await untilStatus(server, (all) => all.get("build:unit")?.workers === 2);
    kube.create(TEST_TASKS, NAMESPACE, { metadata: { name: "unit" }, spec: { image: "test:1", jobs: ["unit", "elsewhere"] } });
    kube.forbid("create jobs");
    kube.forbid("get secrets");
    const { exitCode, findings } = await doctor({ gearman: { servers: [server.address] } }, { kubeconfig: kube.kubeconfig });
    assert.equal(exitCode, 1);
    const says = (what: string) => `${of(findings, what)?.state}: ${of(findings, what)?.says}`;
    assert.equal(says("rights in ci"), "failed: may not create jobs.batch");
    assert.match(says("replica that takes builds"), /^failed: nobody holds the Lease/);
    assert.match(says("TestTask ci/unit"), /^warning: the operator has not looked at it/);
    assert.match(says(`${server.address} operator`), /^failed: no replica of the installation turbo-hipster/);
    assert.match(says(`${server.address} functions`), /^failed: not registered.*: build:elsewhere$/);
    assert.match(
      says(`${server.address} build:unit`),
      /^warning: also served by turbo-hipster\/test\/here\/lane\/shared, turbo-hipster\/test\/here\/registrar: /,
    );
    assert.match(says("log store"), /^unseen/);
    assert.match(says("publicUrl"), /^warning: is not set/);
  });

  test("with every namespace served asks for the rights of all together and for those of the Leases' own, and sees the tasks of any", async () => {
    await using server = await startGearmand();
    await using kube = await startFakeKube();
    for (const namespace of ["one", "two"])
      kube.create(TEST_TASKS, namespace, { metadata: { name: `in-${namespace}` }, spec: { image: "test:1" } });
    kube.create(LEASES, "one", { metadata: { name: "turbo-hipster" }, spec: { holderIdentity: "stranger" } });
    kube.forbid("patch testtasks/status");
    kube.forbid("delete leases");
    const places = { namespaces: ["*"], ownNamespace: "operators" };
    const { exitCode, findings } = await doctor({ gearman: { servers: [server.address] }, ...places }, { kubeconfig: kube.kubeconfig });
    assert.equal(exitCode, 1);
    const says = (what: string) => `${of(findings, what)?.state}: ${of(findings, what)?.says}`;
    assert.match(says("configuration"), /is valid: TestTasks of any namespace; /);
    assert.equal(says("rights, cluster"), "failed: may not patch testtasks.turbo-hipster.io/status");
    assert.equal(says("rights in operators"), "failed: may not delete leases.coordination.k8s.io");
    assert.deepEqual(
      findings.filter(({ what }) => what.startsWith("rights")).map(({ what }) => what),
      ["rights, cluster", "rights in operators"],
    );
    for (const task of ["one/in-one", "two/in-two"]) assert.match(says(`TestTask ${task}`), /^warning: the operator has not looked at it/);
    assert.match(says("replica that takes builds"), /^failed: nobody holds the Lease/, "one of that name elsewhere is another's");
    assert.match(says(`${server.address} functions`), /^failed: not registered.*: build:in-one, build:in-two$/);
  });

  test("is not held up by anything that is silent, endless, garbage or not there", async () => {
    await using kube = await startFakeKube();
    await using silent = await startScriptedServer({});
    await using rude = await startScriptedServer({ onConnect: ({ socket }) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n") });
    await using lines = await startScriptedServer({ onConnect: ({ socket }) => void socket.on("data", () => socket.write("hello\n.\n")) });
    await using endless = await startScriptedServer({ onConnect: ({ socket }) => flood(socket) });
    const gone = `127.0.0.1:${await findFreePort()}`;
    const drip = await serve(() => undefined);
    const servers = [silent.address, rude.address, lines.address, endless.address, gone];
    kube.create(LEASES, NAMESPACE, { metadata: { name: "turbo-hipster" }, spec: { holderIdentity: "crashed" } });
    kube.misbehave({ resource: "testtasks" }, { kind: "hang" }, 9);
    kube.misbehave({ resource: "selfsubjectaccessreviews" }, { kind: "garbage", text: "<html>" }, 99);
    try {
      const config = {
        ...{ gearman: { servers }, logs: { store: "files", directory: join(directory, "missing") } },
        ...{ publicUrl: drip.url, internalUrl: `http://${gone}` },
      };
      const flags = { kubeconfig: kube.kubeconfig, zuulUrl: drip.url, canary: "unit" };
      const { exitCode, findings } = await doctor(config, flags, impatient);
      assert.equal(exitCode, 1);
      for (const what of [...servers, "replica that takes builds", "TestTasks", "log store", "internalUrl", "zuul_url"])
        assert.equal(of(findings, what)?.state, "failed", `${what}: ${of(findings, what)?.says}`);
      const { state, says } = of(findings, "publicUrl") ?? {};
      assert.equal(state, "warning", `an address of this machine need not open here: ${says}`);
      assert.match(of(findings, silent.address)?.says ?? "", /did not answer/);
      assert.match(of(findings, endless.address)?.says ?? "", /without an end|did not answer/);
      assert.match(of(findings, gone)?.says ?? "", /ECONNREFUSED/);
      assert.match(of(findings, "log store")?.says ?? "", /missing/);
      assert.deepEqual(
        findings.filter(({ what }) => what.startsWith("rights")).map(({ state }) => state),
        ["unseen", "unseen"],
      );
      assert.equal(of(findings, "canary build")?.state, "unseen");
      assert.ok(findings.every(({ state, remedy }) => state !== "failed" || remedy));
    } finally {
      drip.closeAllConnections();
      drip.close();
    }
  });

  test("does not tell the version of a server that takes no connection for that question", async () => {
    const server = `127.0.0.1:${await findFreePort()}`;
    assert.equal(await fetchVersion({ server, clock: processClock, signal: new AbortController().signal }), undefined);
  });

  test("says so where there is no cluster, and ends with 2 for a configuration of no use", async () => {
    await using server = await startGearmand();
    await using kube = await startFakeKube();
    kube.misbehave({}, { kind: "drop" }, 99);
    const away = await doctor({ gearman: { servers: [server.address] } }, { kubeconfig: kube.kubeconfig });
    assert.equal(away.exitCode, 1);
    assert.equal(of(away.findings, "API server")?.state, "failed");
    assert.equal(of(away.findings, `${server.address} functions`)?.state, "unseen");

    const broken = await doctor({ gearman: { servers: [] } }, { kubeconfig: kube.kubeconfig });
    assert.equal(broken.exitCode, 2);
    assert.match(broken.errors, /gearman\.servers/);
    const missing = await doctor({}, { config: "/nowhere/config.yaml" });
    assert.equal(missing.exitCode, 2);
    assert.match(missing.errors, /--config/);
  });

  test("looks at what needs no cluster where no kubeconfig can be used", async () => {
    await using server = await startGearmand();
    await using kube = await startFakeKube();
    const unusable: [Partial<DoctorFlags>, RegExp][] = [
      [{ kubeconfig: "/nowhere/kubeconfig" }, /\/nowhere\/kubeconfig/],
      [{ kubeconfig: kube.kubeconfig, context: "elsewhere" }, /no context "elsewhere"/],
    ];
    for (const [flags, why] of unusable) {
      const { exitCode, findings } = await doctor({ gearman: { servers: [server.address] }, logs: { store: "files", directory } }, flags);
      assert.equal(exitCode, 1);
      const access = of(findings, "API server");
      assert.equal(access?.state, "failed");
      assert.match(access?.says ?? "", why);
      assert.match(access?.remedy ?? "", /--kubeconfig/);
      for (const what of [server.address, "log store"]) assert.equal(of(findings, what)?.state, "ok", what);
      for (const what of ["rights", "TestTasks", `${server.address} functions`]) assert.equal(of(findings, what)?.state, "unseen", what);
    }
  });

  test("is a command with help, exit codes of its own, and one object as its output", async () => {
    await using kube = await startFakeKube();
    const main = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
    const run = async (...args: string[]) => {
      const lines: string[] = [];
      const child = await startChild({ command: process.execPath, args: [main, "doctor", ...args], onLine: (line) => lines.push(line) });
      const { code } = await child.exited;
      return { code, out: lines.join("\n") };
    };
    assert.equal((await run("--help")).code, 0);
    assert.equal((await run("--nonsense")).code, 2);
    assert.equal((await run("--timeout", "soon")).code, 2);
    const config = join(directory, "main.yaml");
    await writeFile(config, JSON.stringify({ gearman: { servers: [`127.0.0.1:${await findFreePort()}`] } }));
    const { code, out } = await run("--config", config, "--kubeconfig", kube.kubeconfig, "--json");
    assert.equal(code, 1);
    assert.equal(JSON.parse(out).exitCode, 1);
  });
});

function isReady(stage: Stage, name: string): boolean {
  const task = stage.kube.find(TEST_TASKS, NAMESPACE, name);
  return task?.status?.conditions?.some((each: { type: string; status: string }) => each.type === "Ready" && each.status === "True");
}

/** Lines without an end, as fast as they are taken. */
function flood(socket: Socket): void {
  const chunk = `build:${"x".repeat(1000)}\t0\t0\t0\n`.repeat(64);
  const write = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on("drain", write);
  socket.once("data", write);
}
