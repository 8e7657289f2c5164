import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildIndex } from "../../../../src/controllers/builds/build-index.ts";

interface Indexed {
  number: string;
  namespace: string;
  jobName: string;
}

function request(unique: string) {
  return { server: "zuul:4730", functionName: "build:unit", unique, payloadHash: "00" };
}

function make(number: string, jobName = number): Indexed {
  return { number, namespace: "ci", jobName };
}

describe("the index of builds", () => {
  test("finds a build by its number, its requests, its Job and its relaunch key, and by nothing once it is deleted", () => {
    const index = new BuildIndex<Indexed>();
    const build = make("unit-1");
    index.add(build, request("a"), "key");
    index.addRequest(build, request("b"));
    const found = () => [
      index.ofNumber("unit-1"),
      index.ofRequest(request("a"), "ci"),
      index.ofRequest(request("b"), "ci"),
      index.ofJob("ci", "unit-1"),
      ...index.ofRelaunchKey("key"),
      ...index.values(),
    ];
    assert.deepEqual(
      found(),
      Array.from({ length: 6 }, () => build),
    );
    assert.equal([...index.values()].length, 1);
    index.delete(build);
    assert.deepEqual(found(), [undefined, undefined, undefined, undefined]);
    assert.equal([...index.values()].length, 0);
    index.delete(build);
  });

  test("tells namespaces, servers and functions apart", () => {
    const index = new BuildIndex<Indexed>();
    index.add(make("unit-1"), request("a"), undefined);
    assert.equal(index.ofJob("other", "unit-1"), undefined);
    assert.equal(index.ofRequest({ ...request("a"), server: "zuul:4731" }, "ci"), undefined);
    assert.equal(index.ofRequest({ ...request("a"), functionName: "build:other" }, "ci"), undefined);
  });

  test("finds by the key of a launch what may answer it, and by the launch all of the same build", () => {
    const index = new BuildIndex<Indexed>();
    const [one, other, stranger, keyless] = [make("unit-1"), make("unit-2"), make("unit-3"), make("unit-4")];
    const [key, changed, foreign] = ["0123456789abcdef-one", "0123456789abcdef-other", "fedcba9876543210-one"];
    index.add(one, request("a"), key);
    index.add(other, request("b"), changed);
    index.add(stranger, request("c"), foreign);
    index.add(keyless, request("d"), undefined);
    assert.deepEqual([index.ofRelaunchKey(key), index.ofRelaunchKey(changed)], [[one], [other]]);
    assert.deepEqual([index.ofLaunch(key), index.ofLaunch(changed), index.ofLaunch(foreign)], [[one, other], [one, other], [stranger]]);
    assert.deepEqual(index.ofLaunch("unknown"), []);
    index.delete(keyless);
    index.delete(one);
    assert.deepEqual([index.ofLaunch(key), index.ofRelaunchKey(key)], [[other], []]);
  });

  test("has for a request the build of each namespace, and that of the task's answers", () => {
    const index = new BuildIndex<Indexed>();
    const [own, copied] = [make("unit-1"), { ...make("unit-2"), namespace: "other" }];
    index.add(own, request("a"), undefined);
    index.add(copied, request("a"), undefined);
    const found = () => ["ci", "other", "third", undefined].map((namespace) => index.ofRequest(request("a"), namespace));
    assert.deepEqual(found(), [own, copied, undefined, copied]);
    index.delete(copied);
    assert.deepEqual(found(), [own, undefined, undefined, own]);
  });

  test("finds by any payload a build whose Job does not tell its own", () => {
    const index = new BuildIndex<Indexed>();
    const [old, exact] = [make("unit-1"), make("unit-2")];
    index.add(old, { ...request("a"), payloadHash: null }, undefined);
    index.add(exact, { ...request("a"), payloadHash: "11" }, undefined);
    assert.deepEqual([index.ofRequest(request("a"), "ci"), index.ofRequest({ ...request("a"), payloadHash: "11" }, "ci")], [old, exact]);
    assert.equal(index.ofRequest({ ...request("b"), payloadHash: "11" }, "ci"), undefined);
  });

  test("finds a build whose Job got another name by both, and whoever holds the first name as well once that is known", () => {
    const index = new BuildIndex<Indexed>();
    const build = make("unit-1");
    index.add(build, request("a"), undefined);
    build.jobName = "unit-1-r1";
    index.addJob(build);
    assert.deepEqual([index.ofJob("ci", "unit-1"), index.ofJob("ci", "unit-1-r1")], [build, build]);
    index.delete(build);
    assert.deepEqual([index.ofJob("ci", "unit-1"), index.ofJob("ci", "unit-1-r1")], [undefined, undefined]);
  });

  test("keeps of two builds that share a key the one that came last, whichever goes", () => {
    const index = new BuildIndex<Indexed>();
    const [first, second] = [make("unit-1"), make("unit-2")];
    index.add(first, request("a"), "key");
    index.add(second, request("a"), "key");
    assert.deepEqual([...index.ofRelaunchKey("key")], [first, second]);
    index.delete(first);
    assert.deepEqual([index.ofRequest(request("a"), "ci"), ...index.ofRelaunchKey("key")], [second, second]);
    index.delete(second);
    assert.equal(index.ofRequest(request("a"), "ci"), undefined);
  });
});
