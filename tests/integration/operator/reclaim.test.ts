import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TEST_TASKS } from "../../../src/kube/client/resource.ts";
import type { StoredObject } from "../../support/fake-kube/resource-rules.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import type { SubmittedBuild } from "../gearman/worker/link-harness.ts";
import { answerOf, NAMESPACE, numberOf, startStage } from "./stage.ts";

/** As Zuul asks for a build of one change; `attempt` differs with each launch. */
function change(name: string, attempt = 1): object {
  const hex = Buffer.from(name.padEnd(16, "0")).toString("hex");
  return { ZUUL_UUID: `${name}-${attempt}`, LOG_PATH: `${name}/${attempt}`, ZUUL_REF: `refs/zuul/master/Z${hex}` };
}

/** Tests that run until they are let go, by their Job's name, how many others ran when each began, and how many ran at once at most. */
function makeTests() {
  const running = new Map<string, () => void>();
  const beside = new Map<string, number>();
  let most = 0;
  const script = ({ metadata: { name } }: StoredObject) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    beside.set(name, running.size);
    running.set(name, resolve);
    most = Math.max(most, running.size);
    const finished = promise.then(() => void running.delete(name));
    return { finished };
  };
  return { script, running, beside, finish: (name: string) => running.get(name)?.(), most: () => most };
}

const KINDS = [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const;

for (const [kind, start] of KINDS) {
  describe(`a full task whose link to ${kind} is reset`, () => {
    for (const [what, spec, config] of [
      ["its own limit", { maxConcurrent: 1 }, {}],
      ["the installation's", {}, { maxBuilds: 1 }],
    ] as const) {
      test(`has its build answered when that ends, before what waits, and keeps to ${what}`, async () => {
        const tests = makeTests();
        await using stage = await startStage({ start, config, tasks: { unit: spec }, script: tests.script });
        const submit = (name: string, attempt = 1) => stage.submit("unit", { parameters: change(name, attempt) });
        let first = await submit("a");
        const number = await numberOf(first);
        await stage.running(number);
        await stage.logged("registered at the gearman server");
        const others: SubmittedBuild[] = [];
        for (const name of ["b", "c", "d"]) {
          const other = await submit(name);
          await other.handle;
          others.push(other);
        }
        stage.link.cut();
        if (kind === "geard") {
          assert.equal((await answerOf(first)).result, null);
          first = await submit("a", 2);
        }
        await stage.logged(
          kind === "gearmand" ? "attaches a request to the build that is under way" : "attaches Zuul's relaunch to the build that it is of",
        );
        assert.deepEqual([...tests.running.keys()], [number], "nothing else was begun");
        tests.finish(number);
        assert.equal((await answerOf(first)).result, "SUCCESS");
        const rest = others.map(answerOf);
        for (const other of others) {
          const next = await numberOf(other);
          await stage.running(next);
          tests.finish(next);
        }
        for (const answer of await Promise.all(rest)) assert.equal(answer.result, "SUCCESS");
        assert.deepEqual([stage.pods().length, tests.most()], [4, 1]);
      });
    }

    for (const [what, edit, most] of [
      ["added", { maxConcurrent: 1 }, 1],
      ["lowered", { maxConcurrent: 2 }, 2],
    ] as const) {
      test(`lets no build that waits in line past a limit that is ${what} meanwhile`, async () => {
        const tests = makeTests();
        const spec = what === "added" ? {} : { maxConcurrent: 3 };
        await using stage = await startStage({ start, config: { maxBuilds: 3 }, tasks: { unit: spec }, script: tests.script });
        const submit = async (name: string, attempt = 1) => {
          const build = await stage.submit("unit", { parameters: change(name, attempt) });
          await build.handle;
          return build;
        };
        let builds: SubmittedBuild[] = [];
        for (const name of ["a", "b", "c"]) builds.push(await submit(name));
        const numbers = await Promise.all(builds.map(numberOf));
        for (const number of numbers) await stage.running(number);
        await stage.logged("registered at the gearman server");
        const others = [await submit("d"), await submit("e"), await submit("f")];
        stage.link.cut();
        await stage.logged("lets a build wait for a slot, as the request of another one may be behind it", 2);
        if (kind === "geard") builds = await Promise.all(["a", "b", "c"].map((name) => submit(name, 2)));
        for (const build of builds) await numberOf(build);
        const waiting = await Promise.all(others.map(numberOf));
        const { metadata } = stage.kube.patch(TEST_TASKS, NAMESPACE, "unit", { spec: edit });
        const told = () => stage.kube.list(TEST_TASKS, NAMESPACE)[0]?.status?.observedGeneration;
        await stage.until(() => told() === metadata.generation, "the new limit");
        for (const number of numbers) {
          tests.finish(number);
          await stage.recorded(number);
        }
        for (const number of waiting) {
          await stage.running(number);
          assert.ok((tests.beside.get(number) ?? 0) < most, `it began beside ${tests.beside.get(number)}`);
          tests.finish(number);
        }
        for (const build of [...builds, ...others]) assert.equal((await answerOf(build)).result, "SUCCESS");
        assert.equal(stage.pods().length, 6);
      });
    }

    test("can be asked to stop a build that waits in line, and nothing of it is begun", async () => {
      const tests = makeTests();
      await using stage = await startStage({ start, tasks: { unit: { maxConcurrent: 1 } }, script: tests.script });
      const first = await stage.submit("unit", { parameters: change("a") });
      const number = await numberOf(first);
      await stage.running(number);
      await stage.logged("registered at the gearman server");
      const other = await stage.submit("unit", { parameters: change("b") });
      await other.handle;
      stage.link.cut();
      await stage.logged("lets a build wait for a slot, as the request of another one may be behind it");
      await stage.stop(await numberOf(other));
      assert.equal((await answerOf(other)).result, "ABORTED");
      assert.deepEqual([...tests.running.keys()], [number]);
      const again = kind === "geard" ? await stage.submit("unit", { parameters: change("a", 2) }) : first;
      tests.finish(number);
      assert.equal((await answerOf(again)).result, "SUCCESS");
      assert.equal(stage.jobs().length, 1);
    });

    test("loses nothing when the link is reset again while builds wait in line", async () => {
      const tests = makeTests();
      await using stage = await startStage({ start, tasks: { unit: { maxConcurrent: 1 } }, script: tests.script });
      let builds = await Promise.all(["a"].map((name) => stage.submit("unit", { parameters: change(name) })));
      const number = await numberOf(builds[0] as SubmittedBuild);
      await stage.running(number);
      await stage.logged("registered at the gearman server");
      for (const name of ["b", "c"]) {
        const other = await stage.submit("unit", { parameters: change(name) });
        await other.handle;
        builds.push(other);
      }
      const waits = "lets a build wait for a slot, as the request of another one may be behind it";
      stage.link.cut();
      await stage.logged(waits, 1);
      for (const other of builds.slice(1)) await numberOf(other);
      stage.link.cut();
      // On geard each of them has lost an attempt, and Zuul launches it again.
      if (kind === "geard") {
        for (const build of builds) assert.equal((await answerOf(build)).result, null);
        builds = await Promise.all(["a", "b", "c"].map((name) => stage.submit("unit", { parameters: change(name, 2) })));
      }
      const rest = builds.map(answerOf);
      await numberOf(builds[0] as SubmittedBuild);
      // Which of the others is handed out first after two resets is the server's affair.
      const finished = new Set<string>();
      while (finished.size < builds.length) {
        const next = await stage.until(() => [...tests.running.keys()].find((name) => !finished.has(name)), "the next one to run");
        finished.add(next);
        tests.finish(next);
      }
      for (const answer of await Promise.all(rest)) assert.equal(answer.result, "SUCCESS");
      assert.deepEqual([stage.pods().length, tests.most()], [3, 1]);
    });
  });
}
