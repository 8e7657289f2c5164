import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type PageAnswer, renderInternalUrl, renderPublicUrl, renderZuulUrl } from "../../../../src/commands/doctor/address-findings.ts";

type Row = readonly [name: string, answer: PageAnswer, state: string];

const REFS = "001e# service=git-upload-pack\n0000010d";

const TABLES: Record<string, { render: (answer: PageAnswer) => { state: string; says: string; remedy?: string }; rows: Row[] }> = {
  publicUrl: {
    render: (answer) => renderPublicUrl("https://ci.example.org", answer),
    rows: [
      ["these pages", { status: 200, text: '{"builds":[{"numb' }, "ok"],
      ["another program's", { status: 200, text: "<html>welcome to nginx" }, "failed"],
      ["a login", { status: 302, text: "" }, "warning"],
      ["a refusal", { status: 401, text: "" }, "warning"],
      ["nothing behind it", { status: 503, text: "no endpoints" }, "failed"],
      ["another path", { status: 404, text: "" }, "failed"],
      ["no answer", { problem: "ECONNREFUSED" }, "failed"],
    ],
  },
  internalUrl: {
    render: (answer) => renderInternalUrl("http://th:8081", answer),
    rows: [
      ["healthy", { status: 200, text: "ok\n" }, "ok"],
      ["ill", { status: 503, text: "could not begin\nmore" }, "failed"],
      ["something else", { status: 200, text: "<html>" }, "failed"],
      ["no answer", { problem: "ENOTFOUND" }, "failed"],
    ],
  },
  zuul_url: {
    render: (answer) => renderZuulUrl("http://zuul/p", "openstack/nova", answer),
    rows: [
      ["git-http-backend", { status: 200, text: REFS }, "ok"],
      ["a plain web server", { status: 200, text: `${"a".repeat(40)}\trefs/heads/master\n` }, "ok"],
      ["a web page", { status: 200, text: "<html>" }, "failed"],
      ["no such project", { status: 404, text: "" }, "failed"],
      ["a login", { status: 401, text: "" }, "warning"],
      ["no answer", { problem: "ECONNREFUSED" }, "failed"],
    ],
  },
};

test("an internalUrl that does not open may be a name that only the cluster's DNS knows", () => {
  assert.match(renderInternalUrl("http://th.ci.svc:8081", { problem: "ENOTFOUND" }).remedy ?? "", /cluster's DNS/);
});

test("a publicUrl of one's own machine is only warned of where it does not open: a pod has none of it", () => {
  for (const url of ["http://localhost:18080", "http://127.0.0.1:8080", "http://[::1]:8080"]) {
    assert.equal(renderPublicUrl(url, { problem: "ECONNREFUSED" }).state, "warning", url);
    assert.equal(renderPublicUrl(url, { status: 404, text: "" }).state, "failed", url);
  }
});

for (const [address, { render, rows }] of Object.entries(TABLES)) {
  describe(address, () => {
    for (const [name, answer, state] of rows) {
      test(`answers as ${name}: ${state}`, () => {
        const finding = render(answer);
        assert.equal(finding.state, state, finding.says);
        assert.equal(finding.remedy === undefined, state === "ok");
        if ("problem" in answer) assert.ok(finding.says.includes(answer.problem));
      });
    }
  });
}
