import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { readLiveLines } from "../../support/pages/live-lines.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { NAMESPACE, numberOf, startStage } from "./stage.ts";

const MANY = 30;
const WAIT_MS = 60_000;

describe("a log that many read while it grows", () => {
  for (const store of ["files", "none"] as const) {
    test(`is followed once, and each hears each line once though the operator is restarted: store ${store}`, async () => {
      const directory = await mkdtemp(join(tmpdir(), "th-live-log-"));
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      const leaving = new AbortController();
      try {
        await using stage = await startStage({
          ...{ start: () => startGearmand(), tasks: { unit: {} }, script: () => ({ log: ["one"], finished }) },
          ...(store === "files" && {
            makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
            config: { logs: { store, directory } },
          }),
        });
        const number = await numberOf(await stage.submit("unit"));
        const { name } = (await stage.running(number)).metadata;
        const print = (line: string) => stage.kube.logs.append(NAMESPACE, name, "test", [line]);
        let { port } = { port: stage.operator.ports.public };
        const read = () => {
          const heard: string[] = [];
          const url = () => `http://127.0.0.1:${port}/api/v1/builds/${number}/logs/test/stream`;
          return { heard, ended: readLiveLines(url, { signal: leaving.signal, onLine: (line) => heard.push(line) }) };
        };
        const readers = [read()];
        const allHave = (line: string) =>
          waitUntil(`"${line}" at ${readers.length} readers`, WAIT_MS, async () => readers.every(({ heard }) => heard.includes(line)));
        const follows = () => stage.kube.calls.filter(({ resource, query }) => resource === "pods/log" && query.get("follow")).length;

        await allHave("one");
        const ofOne = follows();
        readers.push(...Array.from({ length: MANY }, read));
        await allHave("one");
        print("two");
        await allHave("two");
        assert.equal(follows(), ofOne, `${MANY} readers more cost nothing more`);

        await stage.stopOperator();
        print("three");
        port = (await stage.startReplica()).operator.ports.public;
        await allHave("three");
        print("four");
        finish();
        for (const { ended } of readers) assert.deepEqual(await ended, ["one", "two", "three", "four"]);
      } finally {
        leaving.abort();
        await rm(directory, { recursive: true, force: true });
      }
    });
  }
});
