import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDatasetRecord, renderDatasetRecord } from "../../../../src/core/job/dataset-record.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const SOURCES: [source: object, words: string][] = [
  [{ volumeSnapshot: { name: "nova-2024" }, size: "1Gi" }, "volumeSnapshot nova-2024"],
  [{ persistentVolumeClaim: { claimName: "nova" }, size: "1Gi" }, "persistentVolumeClaim nova"],
  [{ persistentVolumeClaim: { claimName: "nova", readOnly: true } }, "persistentVolumeClaim nova"],
  [{ image: { reference: "registry.example.com:5000/data:1" } }, "image registry.example.com:5000/data:1 /data"],
  [{ configMap: { name: "settings" } }, "configMap settings"],
];

const read = (text: string | undefined) =>
  readDatasetRecord({ metadata: { name: "unit-1", annotations: text === undefined ? {} : { "turbo-hipster.io/dataset": text } } });

describe("what is recorded of a build's dataset", () => {
  for (const [source, words] of SOURCES) {
    test(`says what it was made from: ${words}`, () => {
      const [dataset] = makeTask({ datasets: [{ name: "user_001", version: "2024-06-01", ...source }] }).spec.datasets ?? [];
      assert.ok(dataset);
      const record = renderDatasetRecord(dataset);
      assert.deepEqual(record, { name: "user_001", version: "2024-06-01", source: words });
      assert.deepEqual(read(JSON.stringify(record)), record);
    });
  }

  test("is nothing where the Job says nothing, and where its words are somebody else's", () => {
    for (const text of [undefined, "", "{", "[]", "1", "{}", '{"name":1,"source":"a"}', `{"name":"a","source":"${"x".repeat(3000)}"}`]) {
      assert.equal(read(text), undefined, text?.slice(0, 40));
    }
  });
});
