import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import type { WatchEvent } from "../../../../src/kube/client/kube-client.ts";
import { makeObjectCache, type ObjectCache } from "../../../../src/kube/watch/object-cache.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { makeRandom } from "../../../support/random.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const NAMES = ["a", "b", "c"];

/** A list that is under way: what the server said, and how much of it has been read. */
interface Listing {
  readonly items: readonly KubeObject[];
  readonly prepared: ReturnType<ObjectCache<KubeObject>["prepare"]>[];
  readonly version: number;
}

/** A server with a history, and a client that lists it, watches it and catches up with it in any order that the network allows. */
class World {
  readonly cache: ObjectCache<KubeObject>;
  readonly #random: () => number;
  readonly #stored = new Map<string, KubeObject>();
  readonly #history: { version: number; event: WatchEvent<KubeObject> }[] = [];
  readonly #deletedUids = new Set<string>();
  readonly #goneUids = new Set<string>();
  readonly #told = new Map<string, KubeObject>();
  /** The client's own list, during which it does not watch; and those that it catches up with meanwhile. */
  #relist: Listing | undefined;
  readonly #catchUps = new Set<Listing>();
  #version = 1;
  /** How many of the history's events the watch has told, or goes on after. */
  #delivered = 0;
  #uids = 0;
  /** The cache catches what its listener throws. */
  readonly #wrong: string[] = [];
  #seen: number | undefined;

  constructor(seed: number) {
    this.#random = makeRandom(seed);
    this.cache = makeObjectCache<KubeObject>({
      trim: (object) => object,
      onChange: (key, object) => this.#hear(key, object),
      logger: silentLogger,
    });
    this.#relist = this.#list();
  }

  step(): void {
    const steps = [
      () => this.#change(),
      () => this.#sweep(),
      () => this.#deliver(),
      () => this.#deliver(),
      () => this.#bookmark(),
      () => this.#read(this.#relist),
      () => this.#finishRelist(),
      () => (this.#relist ??= this.#random() < 0.2 ? this.#list() : undefined),
      () => this.#catchUps.add(this.#list()),
      () => this.#catchUps.forEach((each) => void this.#read(each)),
      () => this.#finishCatchUp(),
    ];
    this.#pick(steps)();
  }

  /** Lets all that is under way come to its end. */
  settle(): void {
    while (this.#catchUps.size > 0) this.#finishCatchUp();
    if (this.#relist) this.#finishRelist();
    while (this.#next()) this.#deliver();
    assert.deepEqual(this.#wrong, []);
    const names = (objects: Iterable<KubeObject>) =>
      [...objects].map(({ metadata: { name, uid, resourceVersion } }) => [name, uid, resourceVersion]);
    assert.deepEqual(new Set(names(this.cache.values()).map(String)), new Set(names(this.#stored.values()).map(String)));
    assert.deepEqual(new Set(names(this.#told.values()).map(String)), new Set(names(this.#stored.values()).map(String)));
  }

  #change(): void {
    const name = this.#pick(NAMES);
    const before = this.#stored.get(name);
    this.#version += 1;
    const isDeleted = before !== undefined && this.#random() < 0.5;
    const uid = before?.metadata.uid ?? `uid-${++this.#uids}`;
    const object: KubeObject = { metadata: { name, namespace: "ci", uid, resourceVersion: String(this.#version) } };
    if (isDeleted) {
      this.#stored.delete(name);
      this.#deletedUids.add(uid);
    } else this.#stored.set(name, object);
    this.#history.push({ version: this.#version, event: { type: isDeleted ? "DELETED" : before ? "MODIFIED" : "ADDED", object } });
  }

  /** What etcd does to all that a lease holds: several deletions of one version. */
  #sweep(): void {
    this.#version += 1;
    for (const [name, { metadata }] of [...this.#stored].filter(() => this.#random() < 0.7)) {
      this.#stored.delete(name);
      this.#deletedUids.add(metadata.uid ?? "");
      const object = { metadata: { ...metadata, resourceVersion: String(this.#version) } };
      this.#history.push({ version: this.#version, event: { type: "DELETED", object } });
    }
  }

  #next() {
    return this.#relist || this.#seen === undefined ? undefined : this.#history[this.#delivered];
  }

  #deliver(): void {
    const next = this.#next();
    if (!next) return;
    this.#delivered += 1;
    this.#seen = Number(this.cache.apply(next.event, String(this.#seen)));
  }

  #bookmark(): void {
    if (this.#relist || this.#seen === undefined || this.#next()) return;
    const object = { metadata: { name: "", resourceVersion: String(this.#version) } };
    this.#seen = Number(this.cache.apply({ type: "BOOKMARK", object }, String(this.#seen)));
  }

  #list(): Listing {
    return { items: [...this.#stored.values()], prepared: [], version: this.#version };
  }

  /** One page more. */
  #read(listing: Listing | undefined): boolean {
    const item = listing?.items[listing.prepared.length];
    if (item) listing?.prepared.push(this.cache.prepare(item));
    return item !== undefined;
  }

  #finishRelist(): void {
    const listing = this.#relist;
    if (!listing) return;
    while (this.#read(listing));
    this.#relist = undefined;
    this.cache.replace(listing.prepared, String(listing.version), this.#seen === undefined ? undefined : String(this.#seen));
    this.#seen = listing.version;
    this.#delivered = this.#history.findLastIndex(({ version }) => version <= listing.version) + 1;
  }

  #finishCatchUp(): void {
    const [listing] = this.#catchUps;
    // Nobody catches up before the first list.
    if (!listing || (this.#seen === undefined && this.#relist)) return void this.#catchUps.clear();
    while (this.#read(listing));
    this.#catchUps.delete(listing);
    this.cache.merge(listing.prepared, String(listing.version), this.#seen === undefined ? undefined : String(this.#seen));
  }

  #hear(key: string, object: KubeObject | undefined): void {
    const uid = (object ?? this.#told.get(key))?.metadata.uid ?? "";
    if (object) {
      if (this.#goneUids.has(uid)) this.#wrong.push(`${uid} comes back after it was told as gone`);
      this.#told.set(key, object);
    } else {
      if (!this.#deletedUids.has(uid)) this.#wrong.push(`${uid} is told as gone, and is there`);
      this.#goneUids.add(uid);
      this.#told.delete(key);
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}

it("a cache whose objects are deleted in one transaction has none of them any more, but what has come since", () => {
  const told: string[] = [];
  const cache = makeObjectCache<KubeObject>({
    trim: (object) => object,
    onChange: (key, object) => told.push(`${key} ${object?.metadata.uid}`),
    logger: silentLogger,
  });
  const at = (name: string, uid: string, resourceVersion: string): KubeObject => ({
    metadata: { name, namespace: "ci", uid, resourceVersion },
  });
  cache.replace([at("a", "a-1", "10"), at("b", "b-1", "11"), at("c", "c-1", "12")].map(cache.prepare), "20", undefined);
  // A list that was begun with the watch has shown already that c is there again.
  cache.merge([at("c", "c-2", "31")].map(cache.prepare), "31", "20");
  told.length = 0;
  let seen = "20";
  for (const [name, uid] of [
    ["a", "a-1"],
    ["b", "b-1"],
    ["c", "c-1"],
  ] as const)
    seen = cache.apply({ type: "DELETED", object: at(name, uid, "30") }, seen);
  assert.deepEqual([seen, told], ["30", ["ci/a undefined", "ci/b undefined"]]);
  seen = cache.apply({ type: "ADDED", object: at("a", "a-1", "10") }, seen);
  assert.deepEqual([seen, told.length], ["30", 2], "what was before them is told again");
});

it("a cache whose server was set back to a backup has what the backup has", () => {
  const told: string[] = [];
  const cache = makeObjectCache<KubeObject>({
    trim: (object) => object,
    onChange: (key, object) => told.push(`${key} ${object?.metadata.resourceVersion}`),
    logger: silentLogger,
  });
  const at = (name: string, resourceVersion: string): KubeObject => ({ metadata: { name, namespace: "ci", uid: name, resourceVersion } });
  cache.replace([at("kept", "90"), at("new", "95")].map(cache.prepare), "100", undefined);
  told.length = 0;
  cache.replace([at("kept", "40"), at("old", "30")].map(cache.prepare), "50", "100");
  assert.deepEqual(told, ["ci/new undefined", "ci/kept 40", "ci/old 30"]);
  cache.replace([at("kept", "90")].map(cache.prepare), "100", "50");
  told.length = 0;
  cache.replace([at("kept", "40")].map(cache.prepare), "150", "100");
  assert.deepEqual(told, ["ci/kept 40"], "though the server has come further than before meanwhile");
});

describe("a cache that is listed, watched and caught up with at once", () => {
  it("tells nothing as gone that is there, brings nothing back, and is right in the end", (context) => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 120 }), (seed, steps) => {
        const world = new World(seed);
        for (let count = 0; count < steps; count += 1) world.step();
        world.settle();
      }),
      fuzzParameters(context, 3000),
    );
  });
});
