import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { withoutManagedFields } from "../../../../src/kube/client/managed-fields.ts";

/** As kube-apiserver writes them: texts of names are keys, with quotes and brackets in them. */
const MANAGED_FIELDS = [
  {
    manager: 'of "[brackets]" \\',
    operation: "Update",
    fieldsV1: { "f:spec": { "f:env": { 'k:{"name":"A]}"}': { ".": {}, "f:value": {} }, "v:\\": {} } } },
  },
  { manager: "kube-controller-manager", fieldsV1: { "f:status": { 'k:{"ip":["::1"]}': {} } } },
];

/** What a person may write, so that it looks like the member in the text of an event. */
const POSING = [
  ',"managedFields":[',
  'x,"managedFields',
  '\\",\\"managedFields\\":[',
  ']},"spec":{',
  "managedFields",
  '\\","managedFields":[1]',
];

const event = (object: object) => JSON.stringify({ type: "MODIFIED", object });

describe("a watch event's managedFields", () => {
  it("are left out in the order of the API's types as in that of the alphabet, and nothing else", () => {
    const typed = (managed: object) => ({ kind: "Job", metadata: { name: "a", labels: { b: "c" }, ...managed }, spec: { d: ["e"] } });
    const alphabetical = (managed: object) => ({
      kind: "Job",
      metadata: { labels: { b: "c" }, ...managed, name: "a" },
      spec: { d: ["e"] },
    });
    for (const order of [typed, alphabetical]) {
      assert.equal(withoutManagedFields(event(order({ managedFields: MANAGED_FIELDS }))), event(order({})));
      assert.equal(withoutManagedFields(event(order({ managedFields: [] }))), event(order({})));
    }
  });

  it("stay where they are no list, not the metadata's, or cut off", () => {
    const others = [
      event({ metadata: { name: "a", managedFields: null } }),
      event({ metadata: { name: "a" }, spec: { volumes: [{ name: "b", managedFields: MANAGED_FIELDS }] } }),
      event({ metadata: { name: "a", managedFields: MANAGED_FIELDS } }).slice(0, -10),
    ];
    for (const text of others) assert.equal(withoutManagedFields(text), text);
  });

  it("are all that is ever missing, whatever texts an object holds", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom(...POSING),
      fc.tuple(fc.constantFrom(...POSING), fc.string()).map((parts) => parts.join("")),
    );
    const texts = fc.dictionary(text, text);
    const objects = fc.record({ before: texts, after: texts, spec: fc.jsonValue(), env: fc.array(fc.record({ name: text, value: text })) });
    fc.assert(
      fc.property(objects, ({ before, after, spec, env }) => {
        const made = (managed: object) => ({
          metadata: { annotations: before, ...managed, labels: after },
          spec: { env, more: spec },
          status: {},
        });
        assert.deepEqual(
          JSON.parse(withoutManagedFields(event(made({ managedFields: MANAGED_FIELDS })))).object,
          JSON.parse(event(made({}))).object,
        );
        assert.equal(withoutManagedFields(event(made({}))), event(made({})));
      }),
    );
  });
});
