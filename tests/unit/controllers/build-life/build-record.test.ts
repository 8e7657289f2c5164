import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildRecord } from "../../../../src/controllers/build-life/build-record.ts";
import type { AnnotateOptions, BuildCluster } from "../../../../src/controllers/ports.ts";
import { type RequestRecord, readJobRecord } from "../../../../src/core/job/record.ts";
import {
  CANCELLED_ANNOTATION,
  DELIVERED_ANNOTATION,
  REQUEST_ANNOTATION,
  VERDICT_ANNOTATION,
} from "../../../../src/core/kubernetes/labels.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import type { Verdict } from "../../../../src/core/verdict/verdict.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";

const VERDICT = { result: "SUCCESS", class: "success", rule: "exit-zero", message: "it passed" } as Verdict;
const NOW = new Date("2026-11-24T12:00:00Z");

function request(replica: string | null, more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    server: "s:4730",
    unique: "u",
    number: "unit-1",
    logPath: null,
    payloadHash: null,
    handle: null,
    replica,
    since: "2026-11-24T10:00:00.000Z",
    ...more,
  };
}

/** A Job at an API server, and the record that replica `self` keeps of it. */
function makeStage(stored: RequestRecord) {
  const annotations: Record<string, string> = {
    [REQUEST_ANNOTATION]: JSON.stringify(stored),
    "turbo-hipster.io/timeouts": JSON.stringify({ pull: "10m", run: "1h" }),
    "turbo-hipster.io/function": "build:unit",
  };
  const job: Job = makeJob({ metadata: { labels: { "turbo-hipster.io/task": "unit" }, annotations } });
  Object.assign(job.metadata, { annotations });
  const writes: Record<string, string>[] = [];
  let failure: Error | undefined;
  let tries = 0;
  let during = () => {};
  let isRefused = false;
  let isDeleted = false;
  const cluster = {
    getJob: async (namespace: string, _name: string) => (isDeleted || namespace !== "ci" ? undefined : structuredClone(job)),
    async annotateJob(namespace: string, _name: string, added: Record<string, string>, options: AnnotateOptions = {}) {
      tries += 1;
      during();
      if (isRefused || isDeleted || namespace !== "ci") return false;
      if (options.uid !== undefined && options.uid !== job.metadata.uid) return false;
      if (options.request !== undefined && options.request !== annotations[REQUEST_ANNOTATION]) return false;
      writes.push(added);
      Object.assign(annotations, added);
      if (failure) throw failure;
      return true;
    },
  } as unknown as BuildCluster;
  const record = new BuildRecord({ cluster, replica: "self", job: structuredClone(job), record: readJobRecord(job) ?? assert.fail() });
  return {
    record,
    writes,
    annotations,
    stored: () => JSON.parse(annotations[REQUEST_ANNOTATION] ?? "") as RequestRecord,
    /** Another replica writes its request. */
    steal: (by: RequestRecord) => {
      annotations[REQUEST_ANNOTATION] = JSON.stringify(by);
    },
    /** Someone writes anything there, or takes it away. */
    spoil: (text: string | undefined) => {
      if (text === undefined) delete annotations[REQUEST_ANNOTATION];
      else annotations[REQUEST_ANNOTATION] = text;
    },
    /** Someone deletes the Job, and this replica makes one of its name for another request. */
    makeAnew: () => {
      job.metadata.uid = "another";
      annotations[REQUEST_ANNOTATION] = JSON.stringify(request("self", { since: "2026-11-24T13:00:00.000Z" }));
    },
    /** Someone deletes the Job. */
    remove: () => {
      isDeleted = true;
    },
    seen: () => record.observe(structuredClone(job)),
    tries: () => tries,
    /** Happens while a write is under way. */
    whileWriting: (what: () => void) => {
      during = what;
    },
    /** No write holds, whatever the Job says. */
    refuseAll: () => {
      isRefused = true;
    },
    /** The next write takes effect, but its answer is lost. */
    failWith: (error: Error | undefined) => {
      failure = error;
    },
  };
}

describe("the record of a build", () => {
  test("says nothing of it on a Job that was made anew under its name", async () => {
    const stage = makeStage(request("self"));
    stage.makeAnew();
    stage.record.cancel(NOW);
    assert.equal(await stage.record.write(), true);
    assert.equal(await stage.record.conclude(VERDICT, NOW, 60), true);
    assert.deepEqual(stage.writes, []);
  });

  for (const way of ["remove", "makeAnew"] as const) {
    test(`leaves the build to nobody else where its Job is gone before its request was written down (${way})`, async () => {
      const stage = makeStage(request("self"));
      stage.record.claim(request("self", { unique: "relaunched" }));
      stage[way]();
      assert.deepEqual([await stage.record.write(), await stage.record.conclude(VERDICT, NOW, 60)], [true, true]);
      assert.deepEqual([stage.writes, stage.tries()], [[], 2]);
    });
  }

  test("writes nothing for the request that the Job says already", async () => {
    const stage = makeStage(request("self"));
    stage.record.claim(request("self", { since: "2026-11-24T11:00:00.000Z" }));
    assert.equal(await stage.record.write(), true);
    assert.deepEqual(stage.writes, []);
  });

  for (const other of [{ server: "other:4730" }, { unique: "other" }]) {
    test(`writes a request of the same replica down that has another ${Object.keys(other)}`, async () => {
      const stage = makeStage(request("self"));
      stage.record.claim(request("self", other));
      assert.equal(await stage.record.write(), true);
      assert.deepEqual(stage.stored(), request("self", other));
    });
  }

  test("does not lose a request that comes while an earlier one is being written", async () => {
    const stage = makeStage(request("gone"));
    stage.record.claim(request("self"));
    stage.whileWriting(() => stage.record.claim(request("self", { unique: "relaunched" })));
    assert.equal(await stage.record.write(), true);
    stage.whileWriting(() => {});
    assert.equal(await stage.record.write(), true);
    assert.equal(stage.stored().unique, "relaunched");
  });

  test("tries a few times, not for ever, where no write holds", async () => {
    const stage = makeStage(request("self"));
    stage.record.claim(request("self", { unique: "relaunched" }));
    stage.refuseAll();
    assert.equal(await stage.record.write(), true, "it is still to be written");
    assert.deepEqual([stage.tries(), stage.record.replica], [3, "self"]);
    assert.equal(await stage.record.conclude(VERDICT, NOW, 60), false);
    assert.equal(stage.tries(), 6);
  });

  test("says that Zuul has stopped the build from then on, before it is written, after it, and where another replica wrote it", async () => {
    const stage = makeStage(request("self"));
    assert.equal(stage.record.isCancelled, false);
    stage.record.cancel(NOW);
    assert.equal(stage.record.isCancelled, true);
    await stage.record.write();
    await stage.record.write();
    assert.deepEqual([stage.record.isCancelled, stage.writes.length], [true, 1]);
    const other = makeStage(request("self"));
    Object.assign(other.annotations, { [CANCELLED_ANNOTATION]: NOW.toISOString() });
    other.seen();
    assert.equal(other.record.isCancelled, true);
    other.record.cancel(NOW);
    await other.record.write();
    assert.deepEqual(other.writes, [], "it is written already");
  });

  test("has the verdict and the delivery that are written on the Job, and writes of its own no more than it knows", async () => {
    const stage = makeStage(request("self"));
    assert.deepEqual([stage.record.verdict, stage.record.isDelivered], [undefined, false]);
    await stage.record.conclude(VERDICT, undefined);
    assert.deepEqual(Object.keys(stage.writes[0] ?? {}), [VERDICT_ANNOTATION]);
    stage.seen();
    assert.deepEqual([stage.record.verdict, stage.record.isDelivered], [VERDICT, false]);
    await stage.record.conclude(VERDICT, NOW, 60);
    stage.seen();
    assert.equal(stage.record.isDelivered, true);
  });

  test("goes on where somebody has edited its own request, and watches where others follow one another", () => {
    const own = makeStage(request("self"));
    own.steal(request("self", { logPath: "elsewhere" }));
    assert.equal(own.seen(), true);
    const watched = makeStage(request("one"));
    watched.steal(request("two", { since: "2026-11-24T11:00:00.000Z" }));
    assert.deepEqual([watched.seen(), watched.record.replica], [true, "two"]);
  });

  test("takes over the request of a replica that is gone, once", async () => {
    const stage = makeStage(request("gone"));
    assert.equal(stage.record.replica, "gone");
    stage.record.claim(request("self"));
    assert.equal(stage.record.replica, "self");
    assert.equal(await stage.record.write(), true);
    assert.equal(await stage.record.write(), true);
    assert.deepEqual([stage.stored().replica, stage.writes.length], ["self", 1]);
  });

  test("is not confused by a watch that shows the request before its own for a while", async () => {
    const stage = makeStage(request("gone"));
    stage.record.claim(request("self"));
    await stage.record.write();
    stage.steal(request("gone"));
    assert.equal(stage.seen(), true);
    assert.equal(stage.record.replica, "self");
  });

  test("knows that it was replaced as soon as the Job says so", async () => {
    const stage = makeStage(request("self"));
    stage.steal(request("other", { since: "2026-11-24T11:00:00.000Z" }));
    assert.equal(stage.seen(), false);
    assert.equal(stage.record.replica, "other");
  });

  test("of a replica that was replaced while it slept writes no verdict", async () => {
    const stage = makeStage(request("self"));
    stage.steal(request("other"));
    assert.equal(await stage.record.conclude(VERDICT, NOW, 60), false);
    assert.deepEqual(stage.writes, []);
  });

  test("gives a request that came later than its own the right of way, though its own was not written yet", async () => {
    const stage = makeStage(request("gone"));
    stage.record.claim(request("self"));
    stage.steal(request("other", { since: "2026-11-24T11:00:00.000Z" }));
    assert.equal(await stage.record.write(), false);
    assert.equal(stage.record.replica, "other");
    assert.deepEqual(stage.writes, []);
  });

  for (const since of ["2026-11-24T09:00:00.000Z", "2026-11-24T10:00:00.000Z"]) {
    test(`writes its own request over one that is no younger, though it had not been seen (of ${since})`, async () => {
      const stage = makeStage(request("gone"));
      stage.record.claim(request("self"));
      stage.steal(request("other", { since }));
      assert.equal(await stage.record.write(), true);
      assert.equal(await stage.record.write(), true);
      assert.equal(stage.stored().replica, "self");
    });
  }

  test("writes again what took effect though the answer was lost", async () => {
    const stage = makeStage(request("gone"));
    stage.record.claim(request("self"));
    stage.failWith(new Error("cut"));
    await assert.rejects(stage.record.write(), /cut/);
    stage.failWith(undefined);
    assert.equal(await stage.record.write(), true);
    assert.equal(await stage.record.conclude(VERDICT, NOW, 60), true);
    assert.equal(stage.annotations[DELIVERED_ANNOTATION], NOW.toISOString());
    assert.equal(stage.stored().replica, "self");
  });

  test("writes verdict, delivery, a stop and a request that were not written yet in one patch", async () => {
    const stage = makeStage(request("gone"));
    stage.record.claim(request("self", { unique: "relaunched" }));
    stage.record.cancel(NOW);
    assert.equal(await stage.record.conclude(VERDICT, NOW, 60), true);
    assert.equal(stage.writes.length, 1);
    assert.deepEqual(JSON.parse(stage.annotations[VERDICT_ANNOTATION] ?? ""), VERDICT);
    assert.equal(stage.annotations[CANCELLED_ANNOTATION], NOW.toISOString());
    assert.deepEqual([stage.stored().replica, stage.stored().unique], ["self", "relaunched"]);
  });

  test("tells a stop also where another replica answers for the build", async () => {
    const stage = makeStage(request("other"));
    stage.record.cancel(NOW);
    assert.equal(await stage.record.write(), true);
    assert.equal(stage.annotations[CANCELLED_ANNOTATION], NOW.toISOString());
    assert.equal(stage.stored().replica, "other");
  });

  test("gives up what this replica answers for, and nothing else", async () => {
    const own = makeStage(request("self"));
    own.record.release();
    assert.equal(await own.record.write(), true);
    assert.equal(own.stored().replica, null);
    assert.equal(own.record.replica, undefined);
    const foreign = makeStage(request("other"));
    foreign.record.release();
    assert.equal(await foreign.record.write(), true);
    assert.deepEqual(foreign.writes, []);
  });

  test("of a Job that was found goes on with the request that it was made for, as this replica", async () => {
    const stage = makeStage(request("self"));
    const found = makeJob({ metadata: { annotations: { [REQUEST_ANNOTATION]: JSON.stringify(request("other")) } } });
    stage.steal(request("other"));
    stage.record.found(found, true);
    assert.equal(await stage.record.write(), true);
    assert.equal(stage.stored().replica, "self");
  });

  test("of a Job that was found leaves it to whom it names when nobody asks here any more", async () => {
    const stage = makeStage(request("self"));
    const found = makeJob({ metadata: { annotations: { [REQUEST_ANNOTATION]: JSON.stringify(request("other")) } } });
    stage.steal(request("other"));
    stage.record.found(found, false);
    stage.record.release();
    assert.equal(await stage.record.write(), true);
    assert.deepEqual([stage.record.replica, stage.stored().replica], ["other", "other"]);
  });

  test("never gives up what another replica answers for by now, however its clock goes", async () => {
    const stage = makeStage(request("self"));
    stage.record.release();
    stage.steal(request("other", { since: "2026-11-24T09:00:00.000Z" }));
    assert.equal(await stage.record.write(), false);
    assert.equal(await stage.record.write(), true);
    assert.equal(stage.stored().replica, "other");
  });

  test("is written at once on what another replica has given up meanwhile", async () => {
    const stage = makeStage(request("other"));
    stage.record.claim(request("self", { since: "2026-11-24T11:00:00.000Z" }));
    stage.steal(request(null, { since: "2026-11-24T12:00:00.000Z" }));
    assert.equal(await stage.record.write(), true);
    assert.equal(stage.stored().replica, "self");
  });

  for (const [what, text] of [
    ["garbage", "{"],
    ["nothing", undefined],
  ] as const) {
    for (const replica of ["self", "other"]) {
      test(`puts the request of ${replica} back where someone has put ${what} in its place`, async () => {
        const stage = makeStage(request(replica));
        stage.spoil(text);
        assert.equal(stage.seen(), true);
        assert.equal(stage.record.replica, replica);
        assert.equal(await stage.record.write(), true);
        assert.equal(stage.stored().replica, replica);
      });

      test(`is not confused by a watch that still shows ${what} for the request of ${replica} after that`, async () => {
        const stage = makeStage(request(replica));
        for (let round = 0; round < 2; round++) {
          stage.spoil(text);
          stage.seen();
          await stage.record.write();
        }
        const mended = JSON.stringify(stage.stored());
        stage.spoil(text);
        stage.seen();
        stage.spoil(mended);
        stage.seen();
        assert.equal(await stage.record.conclude(VERDICT, NOW, 60), true);
        assert.deepEqual([stage.stored().replica, stage.annotations[DELIVERED_ANNOTATION]], [replica, NOW.toISOString()]);
      });

      test(`is concluded for ${replica} where someone has put ${what} in the request's place unseen`, async () => {
        const stage = makeStage(request(replica));
        stage.spoil(text);
        assert.equal(await stage.record.conclude(VERDICT, NOW, 60), true);
        assert.deepEqual([stage.stored().replica, stage.annotations[DELIVERED_ANNOTATION]], [replica, NOW.toISOString()]);
      });
    }
  }
});
