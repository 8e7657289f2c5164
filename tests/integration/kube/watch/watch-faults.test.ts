import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import fc from "fast-check";
import { CONFIG_MAPS } from "../../../../src/kube/client/resource.ts";
import { expired, StatusError, versionTooLarge } from "../../../support/fake-kube/status-error.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { makeRandom } from "../../../support/random.ts";
import { type ListWatchHarness, makeHarness } from "./list-watch-harness.ts";

const NAMES = ["a", "b", "c", "d"];
const MEGABYTE = "x".repeat(2 ** 20);

/** What befalls the server, its watches, and what stands between. Nothing here is lost without a sign: that is found by the periodic list alone. */
const FAULTS: Record<string, (harness: ListWatchHarness, name: string) => void> = {
  "an object comes or changes": ({ put }, name) => put(name, { key: String(Math.random()) }),
  "an object goes": ({ fake }, name) => fake.remove(CONFIG_MAPS, "ci", name),
  "an object is made anew": ({ fake, put }, name) => {
    fake.remove(CONFIG_MAPS, "ci", name);
    put(name);
  },
  "an object has a megabyte": ({ fake, put }, name) => {
    put(name);
    fake.patch(CONFIG_MAPS, "ci", name, { metadata: { annotations: { large: MEGABYTE } } });
  },
  "history is compacted": ({ fake }) => fake.compact(),
  "the version grows": ({ fake }) => void fake.bump(),
  "a bookmark": ({ fake }) => fake.watches.bookmark(),
  "an end": ({ fake }) => fake.watches.end(),
  "a cut": ({ fake }) => fake.watches.cut(),
  "a cut of all": ({ fake }) => fake.cutConnections(),
  "a 410": ({ fake }) => fake.watches.fail(expired()),
  "a 504": ({ fake }) => fake.watches.fail(versionTooLarge("9", 1)),
  "a 500": ({ fake }) => fake.watches.fail(new StatusError(500, "InternalError", "etcd is away")),
  "half an event": ({ fake }) => fake.watches.write('{"type":"ADDED","object":{"metadata":{"name":"half"'),
  "a page": ({ fake }) => fake.watches.write("<html>502 Bad Gateway</html>"),
  "no object": ({ fake }) => fake.watches.write('{"type":"DELETED","object":null}'),
  "no name": ({ fake }) => fake.watches.write('{"type":"ADDED","object":{"metadata":{"resourceVersion":"999999"}}}'),
  "no version": ({ fake }) => fake.watches.write('{"type":"ADDED","object":{"metadata":{"name":"ghost","namespace":"ci"}}}'),
  "a version that is a number": ({ fake }) =>
    fake.watches.write('{"type":"ADDED","object":{"metadata":{"name":"ghost","namespace":"ci","resourceVersion":999999}}}'),
  "a version that nobody can read": ({ fake }) =>
    fake.watches.write('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"v1/x"}}}'),
  "an old event": ({ fake }, name) => {
    const metadata = { name, namespace: "ci", uid: "old", resourceVersion: "900" };
    fake.watches.write(JSON.stringify({ type: "ADDED", object: { metadata } }));
  },
  "lists that fail": ({ fake }) => void fake.misbehave({ verb: "list" }, { kind: "status", code: 503, reason: "ServiceUnavailable" }, 2),
  "lists that break off": ({ fake }) => void fake.misbehave({ verb: "list" }, { kind: "truncate" }),
  "a list that is a page": ({ fake }) => void fake.misbehave({ verb: "list" }, { kind: "page", code: 404, text: "<html></html>" }),
  "a list of a version that nobody can read": ({ fake }) => {
    fake.misbehave({ verb: "list" }, { kind: "garbage", text: '{"items":[],"metadata":{"resourceVersion":"v1/x"}}' });
    fake.watches.fail(expired());
  },
  "watches that are refused": ({ fake }) => void fake.misbehave({ verb: "watch" }, { kind: "drop" }, 2),
};

const names = (objects: Iterable<{ metadata: { name: string; resourceVersion?: string } }>) =>
  new Set(Array.from(objects, ({ metadata: { name, resourceVersion } }) => `${name} ${resourceVersion}`));

async function play(faults: readonly string[], seed: number): Promise<void> {
  await using harness = await makeHarness();
  const { fake, listWatch, changes, put } = harness;
  const random = makeRandom(seed);
  await listWatch.start();
  for (const fault of faults) {
    FAULTS[fault]?.(harness, NAMES[Math.floor(random() * NAMES.length)] as string);
    for (let turns = Math.floor(random() * 12); turns > 0; turns -= 1) await immediate();
  }
  put("last");
  await harness.until("last", (object) => object !== undefined);
  assert.deepEqual(names(listWatch.values()), names(fake.list(CONFIG_MAPS, "ci")));
  const told = new Set<string>();
  for (const change of changes) {
    const [sign, key] = [change[0], change.slice(1)];
    assert.ok(sign === "+" || told.has(key), `${key} is told as gone, and was never told`);
    if (sign === "+") told.add(key);
    else told.delete(key);
  }
  assert.deepEqual(told, new Set(Array.from(listWatch.values(), ({ metadata }) => `ci/${metadata.name}`)));
}

describe("a list-watch through whatever befalls it", () => {
  it("has in the end what the server has, without a wait for its periodic list", async (context) => {
    const faults = fc.array(fc.constantFrom(...Object.keys(FAULTS)), { minLength: 1, maxLength: 20 });
    await fc.assert(fc.asyncProperty(faults, fc.integer(), play), { ...fuzzParameters(context, 60), endOnFailure: false });
  });

  for (const fault of Object.keys(FAULTS)) {
    it(`goes on after ${fault}`, async () => {
      await play(["an object comes or changes", fault, fault], 1);
    });
  }
});
