import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KubeError } from "../../../../src/kube/client/kube-error.ts";
import { ServedNamespaces } from "../../../../src/kube/watch/served-namespaces.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const FORBIDDEN = new KubeError("TH_KUBE_FORBIDDEN", 'list jobs two: User "x" cannot list resource "jobs"', { status: 403 });
const MISSING = new KubeError("TH_KUBE_NOT_FOUND", "list testtasks one: no such resource", { status: 404 });
const BUSY = new KubeError("TH_KUBE_BUSY", "list jobs two: try later", { status: 429, retryable: true });

/** Namespaces `one` and `two`, followed by watches of TestTasks and Jobs; what is seen goes into `seen`. */
async function makeServed() {
  const seen: string[] = [];
  const logger = { ...silentLogger, error: (fields: { namespace?: string }) => seen.push(`error ${fields.namespace}`) };
  const served = new ServedNamespaces({ namespaces: ["one", "two", "one"], logger });
  const tasks = served.expect("testtasks");
  const jobs = served.expect("jobs");
  served.onKnown((namespace) => seen.push(`known ${namespace}`));
  let state = "waits";
  served.begun().then(
    () => {
      state = "begun";
    },
    (error: Error) => {
      state = error.message;
    },
  );
  const begun = async () => {
    await Promise.resolve();
    return state;
  };
  return { served, tasks, jobs, seen, begun };
}

describe("served namespaces", () => {
  test("are known once every watch has listed them, and work begins when all are", async () => {
    const { served, tasks, jobs, seen, begun } = await makeServed();
    tasks.onListed("one");
    assert.equal(served.isKnown("one"), false);
    jobs.onListed("one");
    assert.deepEqual([served.isKnown("one"), served.areAllKnown, await begun(), seen], [true, false, "waits", ["known one"]]);
    jobs.onListed("two");
    tasks.onListed("two");
    assert.deepEqual([served.areAllKnown, await begun(), served.report()], [true, "begun", []]);
    assert.deepEqual(seen, ["known one", "known two"]);
  });

  test("that are refused keep no other waiting; they are told of loudly, once, and are known when they may be read", async () => {
    const { served, tasks, jobs, seen, begun } = await makeServed();
    tasks.onListed("two");
    jobs.onFailure("two", FORBIDDEN);
    jobs.onFailure("two", FORBIDDEN);
    assert.equal(await begun(), "waits");
    tasks.onListed("one");
    jobs.onListed("one");
    assert.equal(await begun(), "begun");
    assert.deepEqual([served.isKnown("two"), served.areAllKnown], [false, false]);
    assert.deepEqual(served.report(), [`namespace two is not served yet - jobs: ${FORBIDDEN.message}`]);
    assert.deepEqual(seen, ["error two", "known one"]);
    jobs.onListed("two");
    assert.deepEqual([served.areAllKnown, served.report(), seen.at(-1)], [true, [], "known two"]);
  });

  test("that are all refused let nothing begin", async () => {
    const { served, tasks, jobs, begun } = await makeServed();
    tasks.onFailure("one", MISSING);
    jobs.onFailure("two", FORBIDDEN);
    assert.equal(await begun(), "waits");
    assert.deepEqual(served.report(), [
      `namespace one is not served yet - testtasks: ${MISSING.message}; jobs: no answer yet`,
      `namespace two is not served yet - testtasks: no answer yet; jobs: ${FORBIDDEN.message}`,
    ]);
  });

  test("are waited for through trouble that passes by itself", async () => {
    const { served, tasks, jobs, seen, begun } = await makeServed();
    for (const { onListed } of [tasks, jobs]) onListed("one");
    tasks.onListed("two");
    jobs.onFailure("two", BUSY);
    assert.deepEqual([await begun(), seen], ["waits", ["known one"]]);
    assert.match(served.report()[0] ?? "", /try later/);
    jobs.onFailure("two", FORBIDDEN);
    assert.equal(await begun(), "begun");
  });

  test("stay known through later refusals", async () => {
    const { served, tasks, jobs, seen } = await makeServed();
    for (const namespace of ["one", "two"]) for (const { onListed } of [tasks, jobs]) onListed(namespace);
    jobs.onFailure("two", FORBIDDEN);
    assert.deepEqual([served.areAllKnown, served.report(), seen], [true, [], ["known one", "known two"]]);
  });

  test("are known together where one watch follows all of them, those to come as well, or none is", async () => {
    const seen: unknown[] = [];
    const logger = { ...silentLogger, error: (fields: object, text: string) => seen.push([fields, text]) };
    const served = new ServedNamespaces({ namespaces: undefined, logger });
    const [tasks, jobs] = [served.expect("testtasks"), served.expect("jobs")];
    served.onKnown((namespace) => seen.push(namespace));
    tasks.onListed(undefined);
    jobs.onFailure(undefined, FORBIDDEN);
    const remedy = "grant the rights of the chart's ClusterRole, or name namespaces in the configuration";
    const fields = { namespace: "*", resource: "jobs", error: FORBIDDEN.message, remedy };
    assert.deepEqual(seen.splice(0), [[fields, "serves nothing, as it may not read all namespaces"]]);
    assert.deepEqual([served.isKnown("one"), served.areAllKnown], [false, false]);
    assert.deepEqual(served.report(), [`no namespace is served yet - jobs: ${FORBIDDEN.message}`]);
    jobs.onListed(undefined);
    assert.deepEqual([served.isKnown("one"), served.isKnown("later"), served.areAllKnown, served.report()], [true, true, true, []]);
    assert.deepEqual(seen, [undefined]);
    await served.begun();
  });

  test("end the waiting when the operator stops", async () => {
    const { served, begun } = await makeServed();
    served.close(new Error("stopped"));
    assert.equal(await begun(), "stopped");
  });
});
