import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame } from "../../../src/core/artifacts/archive-frames.ts";
import { UploadDesk, type UploadingBuild } from "../../../src/uploads/upload-desk.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const { signal } = new AbortController();

test("no more than eight uploads run at once, also where many were admitted in one moment", { timeout: 20_000 }, async () => {
  const answered = Promise.withResolvers<void>();
  const desk = new UploadDesk({
    async podOf(token) {
      await answered.promise;
      return { namespace: "ci", uid: token };
    },
    findBuilds: (number) => [{ number, namespace: "ci", jobName: number, pods: [`uid-of-${number}`], junit: [] }],
    sinkOf: () => ({ put: async () => 0 }),
    collected: async () => {},
    logger: silentLogger,
  });
  const admissions = Array.from({ length: 20 }, (_, index) => desk.admit(`b-${index}`, `Bearer uid-of-b-${index}`, signal));
  answered.resolve();
  const builds = (await Promise.all(admissions)).flatMap((admission): UploadingBuild[] => ("build" in admission ? [admission.build] : []));
  assert.equal(builds.length, 20);
  const over = new AbortController();
  let reading = 0;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    reading += 1;
    await new Promise((_, reject) => over.signal.addEventListener("abort", () => reject(over.signal.reason)));
  };
  const answers = builds.map((build) => desk.receive(build, body(), over.signal));
  const refused = await Promise.all(answers.slice(8));
  assert.deepEqual(
    refused.map(({ status }) => status),
    Array(12).fill(503),
  );
  assert.equal(reading, 8);
  // Who comes again takes its own place.
  assert.ok("build" in (await desk.admit("b-0", "Bearer uid-of-b-0", signal)));
  over.abort(new Error("gone"));
  await Promise.all(answers);
});

test("of several Jobs of one number the one whose pod sends has what is sent, by its namespace too", async () => {
  const build = { number: "b", jobName: "b", pods: ["uid"], junit: [] };
  const builds: UploadingBuild[] = [
    { ...build, namespace: "other" },
    { ...build, namespace: "ci" },
    { ...build, namespace: "ci", jobName: "b-r1", pods: ["uid-r1"] },
  ];
  const collected: string[] = [];
  const desk = new UploadDesk({
    async podOf(token) {
      const [namespace = "", uid = ""] = token.split(".");
      return { namespace, uid };
    },
    findBuilds: () => builds,
    sinkOf: () => ({ put: async () => 0 }),
    collected: async ({ namespace, jobName }) => void collected.push(`${namespace}/${jobName}`),
    logger: silentLogger,
  });
  const body = async function* () {
    yield* encodeFrame({ kind: "end", leftOut: 0 });
  };
  for (const token of ["ci.uid", "ci.uid-r1", "other.uid"]) {
    const admission = await desk.admit("b", `Bearer ${token}`, signal);
    assert.ok("build" in admission, token);
    assert.equal((await desk.receive(admission.build, body(), signal)).status, 200);
  }
  assert.deepEqual(collected, ["ci/b", "ci/b-r1", "other/b"]);
  const refused = await desk.admit("b", "Bearer other.uid-r1", signal);
  assert.equal("refusal" in refused && refused.refusal.status, 403);
});

test("a collector whose pod is not seen yet comes again, and is let in then", async () => {
  const known = { number: "b", namespace: "ci", jobName: "b", pods: [] as string[], junit: [] };
  const desk = new UploadDesk({
    podOf: async () => ({ namespace: "ci", uid: "uid" }),
    findBuilds: () => [known],
    sinkOf: () => ({ put: async () => 0 }),
    collected: async () => {},
    logger: silentLogger,
  });
  const early = await desk.admit("b", "Bearer token", signal);
  assert.equal("refusal" in early && early.refusal.status, 404);
  known.pods = ["another"];
  const foreign = await desk.admit("b", "Bearer token", signal);
  assert.equal("refusal" in foreign && foreign.refusal.status, 403);
  known.pods = ["another", "uid"];
  assert.ok("build" in (await desk.admit("b", "Bearer token", signal)));
});
