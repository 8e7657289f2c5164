import assert from "node:assert/strict";
import { test } from "node:test";
import { npmComponent, parseDebianComponents, parseSbomParts, renderSbom } from "../../../tools/sbom.ts";

test("a bill of materials names each part by its package URL, whatever their order", () => {
  const subject = npmComponent("application", "turbo-hipster", "1.0.0-rc.1", "Apache-2.0");
  const scoped = npmComponent("library", "@scope/name", "2.0.0", "(MIT OR Apache-2.0)");
  const [git, plus] = parseDebianComponents("git 1:2.39.5-0+deb12u2 amd64\nlibstdc++6 12.2.0-14 arm64\n", "12.11");
  assert.ok(git && plus);
  assert.equal(scoped.purl, "pkg:npm/%40scope/name@2.0.0");
  assert.equal(git.purl, "pkg:deb/debian/git@1%3A2.39.5-0%2Bdeb12u2?arch=amd64&distro=debian-12.11");
  assert.equal(plus.purl, "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=arm64&distro=debian-12.11");
  const text = renderSbom(subject, [scoped, git]);
  assert.equal(text, renderSbom(subject, [git, scoped]));
  const { bomFormat, metadata, components } = JSON.parse(text);
  assert.equal(bomFormat, "CycloneDX");
  assert.equal(metadata.component["bom-ref"], "pkg:npm/turbo-hipster@1.0.0-rc.1");
  assert.deepEqual(
    components.map(({ name, licenses }: { name: string; licenses?: object[] }) => [name, licenses]),
    [
      ["git", undefined],
      ["@scope/name", [{ expression: "(MIT OR Apache-2.0)" }]],
    ],
  );
  assert.deepEqual(parseSbomParts(text), [{ ...git, license: undefined }, scoped]);
});
