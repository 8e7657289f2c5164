import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CONFIG_MAPS } from "../../../../src/kube/client/resource.ts";
import type { FaultEffect } from "../../../support/fake-kube/fault-plan.ts";
import { expired, StatusError, versionTooLarge } from "../../../support/fake-kube/status-error.ts";
import { type ListWatchHarness, makeHarness } from "./list-watch-harness.ts";

const isThere = (object: object | undefined) => object !== undefined;
const isGone = (object: object | undefined) => object === undefined;

describe("a list-watch", () => {
  it("tells what is there, then every change in order, and keeps its cache by it", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, changes, put } = harness;
    put("a", { key: "1" });
    await listWatch.start();
    await listWatch.synced();
    assert.equal(listWatch.hasSynced, true);
    assert.deepEqual(changes, ["+ci/a"]);
    put("b");
    put("a", { key: "2" });
    fake.delete(CONFIG_MAPS, "ci", "b");
    put("c");
    await harness.until("c", isThere);
    assert.deepEqual(changes, ["+ci/a", "+ci/b", "+ci/a", "-ci/b", "+ci/c"]);
    assert.deepEqual(new Set([...listWatch.values()].map((object) => object.metadata.name)), new Set(["a", "c"]));
    assert.equal(listWatch.get("ci", "a")?.data?.key, "2");
    assert.equal(listWatch.get("other", "a"), undefined);
    assert.deepEqual([harness.countCalls("list"), harness.countCalls("watch")], [1, 1]);
  });

  it("reads a long list in pages of 250, and holds no more of each than it keeps", async () => {
    const trimmedAt: number[] = [];
    await using harness = await makeHarness({
      trim(object) {
        trimmedAt.push(harness.countCalls("list"));
        return object;
      },
    });
    for (let index = 0; index < 501; index += 1) harness.put(`object-${index}`);
    await harness.listWatch.start();
    await harness.listWatch.synced();
    assert.equal([...harness.listWatch.values()].length, 501);
    assert.deepEqual(
      harness.fake.calls.filter((call) => call.verb === "list").map((call) => call.query.get("limit")),
      ["250", "250", "250"],
    );
    const trimmedAfter = (page: number) => trimmedAt.filter((pages) => pages === page).length;
    assert.deepEqual([trimmedAfter(1), trimmedAfter(2), trimmedAfter(3)], [250, 250, 1]);
  });

  it("reads the list once more, whole, when the snapshot of its pages is compacted away", async () => {
    await using harness = await makeHarness();
    for (let index = 0; index < 251; index += 1) harness.put(`object-${index}`);
    const firstPage = harness.fake.nextCall({ verb: "list" });
    void firstPage.then(() => harness.fake.compact());
    await harness.listWatch.start();
    await harness.listWatch.synced();
    assert.equal([...harness.listWatch.values()].length, 251);
    assert.deepEqual(
      harness.fake.calls.filter((call) => call.verb === "list").map((call) => `${call.query.get("limit")} ${call.code}`),
      ["250 200", "250 410", "null 200"],
    );
  });

  it("watches with its label selector and forgets what leaves it", async () => {
    await using harness = await makeHarness({ labelSelector: "app=x" });
    const { fake, listWatch } = harness;
    fake.create(CONFIG_MAPS, "ci", { metadata: { name: "other" } });
    fake.create(CONFIG_MAPS, "ci", { metadata: { name: "mine", labels: { app: "x" } } });
    await listWatch.start();
    await harness.until("mine", isThere);
    await fake.nextCall({ verb: "watch" });
    fake.patch(CONFIG_MAPS, "ci", "mine", { metadata: { labels: { app: "y" } } });
    await harness.until("mine", isGone);
    assert.deepEqual(harness.changes, ["+ci/mine", "-ci/mine"]);
  });

  it("keeps one watch for each namespace, or one for all", async () => {
    await using two = await makeHarness({ namespaces: ["ci", "other", "ci"] });
    two.fake.create(CONFIG_MAPS, "other", { metadata: { name: "b" } });
    two.put("a");
    await two.listWatch.start();
    await two.listWatch.synced();
    assert.deepEqual(
      [two.listWatch.get("ci", "a")?.metadata.namespace, two.listWatch.get("other", "b")?.metadata.namespace],
      ["ci", "other"],
    );
    assert.equal(two.countCalls("list"), 2);
    await using all = await makeHarness({ namespaces: undefined });
    all.fake.create(CONFIG_MAPS, "other", { metadata: { name: "b" } });
    await all.listWatch.start();
    await all.listWatch.synced();
    assert.equal(all.listWatch.get("other", "b")?.metadata.name, "b");
    assert.equal(all.countCalls("list"), 1);
  });

  it("drops managedFields, or what its trim drops", async () => {
    const metadata = { name: "a", managedFields: [{ manager: "x" }] };
    await using plain = await makeHarness();
    plain.fake.create(CONFIG_MAPS, "ci", { metadata, data: { key: "1" } });
    await plain.listWatch.start();
    await plain.until("a", isThere);
    assert.deepEqual(
      [Object.keys(plain.listWatch.get("ci", "a")?.metadata ?? {}).includes("managedFields"), plain.listWatch.get("ci", "a")?.data],
      [false, { key: "1" }],
    );
    await using trimmed = await makeHarness({ trim: ({ metadata: { name, uid = "" } }) => ({ metadata: { name, uid } }) });
    trimmed.fake.create(CONFIG_MAPS, "ci", { metadata, data: { key: "1" } });
    await trimmed.listWatch.start();
    await trimmed.listWatch.synced();
    assert.equal([...trimmed.listWatch.values()][0]?.data, undefined);
  });

  it("goes on from the last version, a bookmark's included, when a watch ends normally: no list, nothing told twice", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    harness.put("a");
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    fake.bump();
    const bookmarked = String(fake.version);
    const again = fake.nextCall({ verb: "watch" });
    fake.watches.end(); // sends a bookmark first, as the real server
    assert.equal((await again).query.get("resourceVersion"), bookmarked);
    harness.put("b");
    await harness.until("b", isThere);
    assert.deepEqual(harness.changes, ["+ci/a", "+ci/b"]);
    assert.equal(harness.countCalls("list"), 1);
    assert.deepEqual(harness.logged, []);
  });

  it("logs what a change handler throws, and goes on", async () => {
    await using harness = await makeHarness({
      onChange(key) {
        if (key === "ci/a") throw new Error("handler broke");
      },
    });
    harness.put("a");
    await harness.listWatch.start();
    await harness.fake.nextCall({ verb: "watch" });
    harness.put("b");
    await harness.until("b", isThere);
    assert.equal(harness.logged.length, 1);
    assert.match(harness.logged[0] ?? "", /handler broke/);
    assert.equal(harness.countCalls("list"), 1);
  });

  it("does not go back in time when old events are replayed, not even to what was deleted since", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    harness.put("kept", { key: "old" });
    harness.put("gone");
    const replays = ["kept", "gone"].map((name) => JSON.stringify({ type: "ADDED", object: fake.get(CONFIG_MAPS, "ci", name) }));
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    harness.put("kept", { key: "new" });
    fake.delete(CONFIG_MAPS, "ci", "gone");
    await harness.until("gone", isGone);
    for (const line of replays) fake.watches.write(line);
    harness.put("last");
    await harness.until("last", isThere);
    assert.equal(listWatch.get("ci", "kept")?.data?.key, "new");
    assert.deepEqual(harness.changes, ["+ci/gone", "+ci/kept", "+ci/kept", "-ci/gone", "+ci/last"]);
  });
});

describe("a list-watch in trouble", () => {
  const FAULTS: Record<string, FaultEffect> = {
    "answers 500": { kind: "status", code: 500 },
    "answers 503": { kind: "status", code: 503, reason: "ServiceUnavailable" },
    "answers 429": { kind: "status", code: 429 },
    "answers 403": { kind: "status", code: 403, reason: "Forbidden" },
    "answers 401": { kind: "status", code: 401, reason: "Unauthorized" },
    "answers 404": { kind: "status", code: 404, reason: "NotFound" },
    "answers 410": { kind: "status", code: 410, reason: "Expired" },
    "drops the connection": { kind: "drop" },
    "drops the connection in the middle of the answer": { kind: "truncate" },
    "answers nonsense": { kind: "garbage", text: "<html>a proxy's page</html>\n" },
    "answers an object that is no list and no event": { kind: "garbage", text: '{"type":"ADDED"}\n' },
  };

  for (const [title, effect] of Object.entries(FAULTS)) {
    it(`gets there when the server ${title} to the first lists, and then to watches`, async () => {
      await using harness = await makeHarness();
      const { fake, listWatch } = harness;
      harness.put("a");
      const lists = fake.misbehave({ verb: "list" }, effect, 3);
      await listWatch.start();
      await listWatch.synced();
      const watches = fake.misbehave({ verb: "watch" }, effect, 3);
      fake.watches.cut();
      const opened = fake.nextCall({ verb: "watch" });
      harness.put("b");
      fake.delete(CONFIG_MAPS, "ci", "a");
      await opened;
      await harness.until("b", isThere);
      await harness.until("a", isGone);
      assert.deepEqual(
        [...listWatch.values()].map((object) => object.metadata.name),
        ["b"],
      );
      // A truncated watch is simply cut: the fault strikes only answers with a body of known length.
      assert.ok(lists.struck === 3 && watches.struck >= 1, `${lists.struck} ${watches.struck}`);
    });
  }

  it("gets there when there is no server at first", async () => {
    await using harness = await makeHarness();
    const down = harness.fake.misbehave({}, { kind: "drop" }, Number.POSITIVE_INFINITY);
    harness.put("a");
    const tried = harness.fake.nextCall({ verb: "list" }, "arrived");
    await harness.listWatch.start();
    await tried;
    assert.equal(harness.listWatch.hasSynced, false);
    down.stop();
    await harness.listWatch.synced();
    assert.deepEqual(harness.changes, ["+ci/a"]);
  });

  for (const [title, error] of [
    ["410", expired()],
    ["504 ResourceVersionTooLarge", versionTooLarge("9", 1)],
  ] as const) {
    it(`lists again when a watch ends with ${title}, and finds what was deleted, added and replaced meanwhile`, async () => {
      await using harness = await makeHarness();
      const { fake, listWatch } = harness;
      for (const name of ["deleted", "kept", "replaced"]) harness.put(name);
      await listWatch.start();
      await fake.nextCall({ verb: "watch" });
      harness.changes.length = 0;
      fake.watches.silence();
      fake.delete(CONFIG_MAPS, "ci", "deleted");
      fake.delete(CONFIG_MAPS, "ci", "replaced");
      harness.put("replaced", { key: "another" });
      harness.put("added");
      fake.compact();
      fake.watches.speak();
      fake.watches.fail(error);
      await harness.until("added", isThere);
      await harness.until("replaced", (object) => object?.data?.key === "another");
      assert.deepEqual(harness.changes, ["-ci/deleted", "+ci/added", "-ci/replaced", "+ci/replaced"]);
      assert.equal(harness.countCalls("list"), 2);
    });
  }

  it("lists again when the version to go on from is compacted away", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    harness.put("a");
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    const down = fake.misbehave({}, { kind: "drop" }, Number.POSITIVE_INFINITY);
    const tried = fake.nextCall({ verb: "watch" }, "arrived");
    fake.watches.cut();
    await tried;
    fake.delete(CONFIG_MAPS, "ci", "a");
    fake.compact();
    down.stop();
    await harness.until("a", isGone);
    assert.equal(fake.calls.filter((call) => call.verb === "list" && call.code === 200).length, 2);
  });

  it("goes on, without a list, after an ERROR event of another kind", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    const again = fake.nextCall({ verb: "watch" });
    fake.watches.fail(new StatusError(500, "InternalError", "etcd is busy"));
    await again;
    harness.put("a");
    await harness.until("a", isThere);
    assert.equal(harness.countCalls("list"), 1);
    assert.match(harness.logged.join(), /etcd is busy/);
  });

  it("leaves a watch that has fallen silent, over a new connection, and misses nothing", async () => {
    for (const tls of [false, true]) {
      await using harness = await makeHarness({ times: { idleMs: 100 }, fake: { tls } });
      const { fake, listWatch } = harness;
      await listWatch.start();
      await fake.nextCall({ verb: "watch" });
      const before = fake.connections.total;
      fake.watches.silence();
      harness.put("a");
      await harness.until("a", isThere);
      assert.ok(fake.connections.total > before, "the silent connection was used again");
      assert.equal(harness.countCalls("list"), 1);
      assert.match(harness.logged.join(), /silent for 100 ms/);
    }
  });

  it("leaves lists and watches that are never answered", async () => {
    await using harness = await makeHarness({ deadlineMs: 50 });
    harness.fake.misbehave({ verb: "list" }, { kind: "hang" });
    harness.fake.misbehave({ verb: "watch" }, { kind: "hang" });
    await harness.listWatch.start();
    await harness.fake.nextCall({ verb: "watch" });
    harness.put("a");
    await harness.until("a", isThere);
    assert.match(harness.logged.join(), /list configmaps ci: no answer.* within 50 ms.*watch configmaps ci: no answer.* within 50 ms/);
  });

  it("finds with its periodic list what a faulty watch did not tell", async () => {
    await using harness = await makeHarness({ times: { relistMs: 0 } });
    const { fake, listWatch } = harness;
    harness.put("a");
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    fake.watches.silence();
    fake.delete(CONFIG_MAPS, "ci", "a");
    fake.watches.speak();
    fake.watches.end(); // the bookmark before the end claims that all has been told
    await harness.until("a", isGone);
    assert.equal(harness.countCalls("list"), 2);
  });

  it("has never more than one watch per namespace, and no more watches than were cut, through a storm of cuts", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    await listWatch.start();
    await fake.nextCall({ verb: "watch" });
    for (let round = 0; round < 20; round += 1) {
      const again = fake.nextCall({ verb: "watch" });
      fake.cutConnections();
      await again;
      assert.ok(fake.watches.count() <= 1);
    }
    harness.put("a");
    await harness.until("a", isThere);
    assert.ok(harness.countCalls("watch") <= 21 + 20, `${harness.countCalls("watch")} watches`);
    assert.equal(harness.countCalls("list"), 1);
  });

  it("goes on after an event that is longer than an object can be", async () => {
    await using harness = await makeHarness();
    const { fake } = harness;
    await harness.listWatch.start();
    await fake.nextCall({ verb: "watch" });
    fake.watches.write(JSON.stringify({ type: "ADDED", object: { metadata: { name: "x".repeat(9 * 2 ** 20) } } }));
    await fake.nextCall({ verb: "watch" });
    harness.put("a");
    await harness.until("a", isThere);
    assert.match(harness.logged.join(), /longer than/);
  });
});

describe("a list-watch's start and stop", () => {
  it("stops before, during and after start, any number of times, and leaves nothing", async () => {
    for (const when of ["before", "during", "listed", "watching"] as const) {
      await using harness = await makeHarness();
      const { fake, listWatch } = harness;
      harness.put("a");
      if (when === "before") await listWatch.stop();
      if (when === "during") fake.misbehave({ verb: "list" }, { kind: "hang" });
      const listing = fake.nextCall({ verb: "list" }, "arrived");
      const watching = fake.nextCall({ verb: "watch" });
      await listWatch.start();
      if (when === "during") await listing;
      if (when === "listed") await listWatch.synced();
      if (when === "watching") await watching;
      await Promise.all([listWatch.stop(), listWatch.stop()]);
      const told = harness.changes.length;
      harness.put("b");
      await listWatch.start();
      assert.equal(harness.changes.length, told);
      assert.equal(harness.countCalls("list"), when === "before" ? 0 : 1);
    }
  });

  it("lets those who wait for the first list know that it was stopped", async () => {
    await using harness = await makeHarness();
    harness.fake.misbehave({ verb: "list" }, { kind: "hang" });
    const arrived = harness.fake.nextCall({ verb: "list" }, "arrived");
    await harness.listWatch.start();
    await arrived;
    const rejected = assert.rejects(harness.listWatch.synced(), { code: "TH_KUBE_CLOSED" });
    await harness.listWatch.stop();
    await rejected;
    await assert.rejects(harness.listWatch.synced(), { code: "TH_KUBE_CLOSED" });
  });

  it("catches up when it is told to, though its watch says nothing, with what is selected", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, put } = harness;
    await listWatch.start();
    await listWatch.synced();
    fake.watches.silence();
    put("a");
    put("b");
    fake.patch(CONFIG_MAPS, "ci", "b", { metadata: { labels: { done: "true" } } });
    await listWatch.catchUp(["!done"]);
    assert.deepEqual(
      [...listWatch.values()].map((object) => object.metadata.name),
      ["a"],
    );
    await listWatch.catchUp(["!done", "done in (true)"]);
    assert.deepEqual(new Set([...listWatch.values()].map((object) => object.metadata.name)), new Set(["a", "b"]));
  });

  it("does not fall back behind what it has caught up with when the watch repeats how that came about", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, changes, put } = harness;
    await listWatch.start();
    await listWatch.synced();
    fake.watches.silence();
    put("a", { key: "1" });
    put("a", { key: "2" });
    await listWatch.catchUp(["!done"]);
    assert.equal(listWatch.get("ci", "a")?.data?.key, "2");
    listWatch.reconnect();
    put("b");
    await harness.until("b", isThere);
    assert.deepEqual(changes, ["+ci/a", "+ci/b"]);
    assert.equal(listWatch.get("ci", "a")?.data?.key, "2");
  });

  /** Catches up with a list of two pages; resolves when the second is asked for, which is answered once `go` has. */
  async function catchUpSlowly({ fake, listWatch, put }: ListWatchHarness, go: Promise<void>) {
    for (let index = 0; index < 300; index += 1) put(`object-${index}`);
    const firstPage = fake.nextCall({ verb: "list" }, "answered");
    const done = listWatch.catchUp(["!done"]);
    await firstPage;
    const secondPage = fake.nextCall({ verb: "list" }, "arrived");
    fake.misbehave({ verb: "list" }, { kind: "delay", until: go });
    await secondPage;
    return { done };
  }

  it("does not put back what is told to be deleted between two pages of the list that it catches up with", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch } = harness;
    await listWatch.start();
    await listWatch.synced();
    const go = Promise.withResolvers<void>();
    const { done } = await catchUpSlowly(harness, go.promise);
    await harness.until("object-299", isThere);
    fake.delete(CONFIG_MAPS, "ci", "object-0");
    await harness.until("object-0", isGone);
    go.resolve();
    await done;
    assert.equal(listWatch.get("ci", "object-0"), undefined);
    assert.equal([...listWatch.values()].length, 299);
  });

  it("does not put back what a list that began later does not hold any more, though the watch never told of it", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, put } = harness;
    const watching = fake.nextCall({ verb: "watch" });
    await listWatch.start();
    await watching;
    fake.watches.silence();
    const go = Promise.withResolvers<void>();
    const { done } = await catchUpSlowly(harness, go.promise);
    fake.delete(CONFIG_MAPS, "ci", "object-0");
    put("later");
    fake.watches.fail(expired());
    await harness.until("later", isThere);
    go.resolve();
    await done;
    assert.equal(listWatch.get("ci", "object-0"), undefined);
  });

  it("tells what it has caught up with as gone neither for an older list nor for the end of one that had its name before", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, changes, put } = harness;
    put("a");
    const watching = fake.nextCall({ verb: "watch" });
    await listWatch.start();
    await watching;
    fake.watches.silence();
    fake.delete(CONFIG_MAPS, "ci", "a");
    put("a", { key: "another" });
    await listWatch.catchUp(["!done"]);
    assert.deepEqual(changes.splice(0), ["+ci/a", "-ci/a", "+ci/a"]);
    listWatch.reconnect();
    put("b");
    await harness.until("b", isThere);
    assert.deepEqual(changes, ["+ci/b"]);
    assert.equal(listWatch.get("ci", "a")?.data?.key, "another");
  });

  it("catches up as soon as the API server answers again", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, put } = harness;
    await listWatch.start();
    await listWatch.synced();
    const fault = fake.misbehave({ verb: "list" }, { kind: "status", code: 500 }, 3);
    put("a");
    await listWatch.catchUp(["!done"]);
    assert.equal(fault.struck, 3);
    assert.notEqual(listWatch.get("ci", "a"), undefined);
  });

  it("holds nobody up where catching up is refused, or when it is stopped", async () => {
    await using harness = await makeHarness();
    const { fake, listWatch, put } = harness;
    await listWatch.start();
    await listWatch.synced();
    const refusal = { kind: "status", code: 403, reason: "Forbidden" } as const;
    const refused = fake.misbehave({ verb: "list" }, refusal, Number.POSITIVE_INFINITY);
    await listWatch.catchUp(["!done"]);
    refused.stop();
    put("a");
    fake.watches.silence();
    fake.misbehave({ verb: "list" }, refusal, 2);
    put("b");
    await listWatch.catchUp(["!done"]);
    assert.notEqual(listWatch.get("ci", "b"), undefined, "a right that was not known yet");
    fake.misbehave({ verb: "list" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
    const stopped = assert.rejects(listWatch.catchUp(["!done"]), { code: "TH_KUBE_CLOSED" });
    await listWatch.stop();
    await stopped;
    await assert.rejects(listWatch.catchUp([]), { code: "TH_KUBE_CLOSED" });
  });
});
