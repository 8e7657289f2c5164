import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { ArtifactStore } from "../../../../src/logs/recording/artifact-store.ts";
import type { LogStore } from "../../../../src/logs/stores/log-store.ts";
import type { StoredBuilds } from "../../../../src/logs/stores/stored-builds.ts";

const { signal } = new AbortController();
const SECRET = "correct-horse";
const JOB = {
  metadata: {
    ...{ name: "unit-1", namespace: "ci", uid: "uid-1", labels: { "turbo-hipster.io/task": "unit" } },
    annotations: {
      "turbo-hipster.io/request": JSON.stringify({ server: "s", unique: "u", number: "unit-1" }),
      "turbo-hipster.io/timeouts": JSON.stringify({ pull: "5m", run: "1h" }),
      "turbo-hipster.io/function": "build:unit",
    },
  },
  spec: { template: { spec: { containers: [{ name: "test", envFrom: [{ secretRef: { name: "s" } }] }] } } },
} as unknown as Job;

/** What is stored of a file that a test has left. */
async function store(path: string, ...chunks: (string | Uint8Array)[]): Promise<string> {
  const stored: Uint8Array[] = [];
  const artifacts = new ArtifactStore({
    cluster: {
      ...{
        cachedJob: () => JOB,
        getJob: async () => JOB,
        readWholePods: async () => [],
        annotateJob: async () => true,
        now: () => new Date(0),
      },
      secretValues: async () => new Map([["key", Buffer.from(SECRET)]]),
    },
    store: {
      async put(_path: string, open: () => AsyncIterable<Uint8Array>) {
        for await (const chunk of open()) stored.push(Buffer.from(chunk));
        return Buffer.concat(stored).length;
      },
    } as unknown as LogStore,
    builds: { begin: async () => ({ directory: "d", why: undefined }) } as unknown as StoredBuilds,
  });
  const open = async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk as string);
  };
  await artifacts.sinkOf({ number: "unit-1", namespace: "ci", jobName: "unit-1" }).put(path, open, signal);
  return Buffer.concat(stored).toString("latin1");
}

describe("a secret in an artifact", () => {
  for (const path of ["env", "report.html", "a.log", "app.properties", "trace.svg", ".env"]) {
    test(`is masked in text, whatever it is called: ${path}`, async () => {
      assert.equal(await store(path, "user=a\npassword=corre", "ct-horse\n"), "user=a\npassword=***\n");
    });
  }

  test("is masked in what is called a text though it has a NUL", async () => {
    assert.equal(await store("a.txt", `a\0${SECRET}`), "a\0***");
  });

  test("stays in what would be broken", async () => {
    assert.equal(await store("core", `\x7fELF\0${SECRET}`, SECRET), `\x7fELF\0${SECRET}${SECRET}`);
  });
});
