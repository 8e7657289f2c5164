import assert from "node:assert/strict";
import { posix, win32 } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ARTIFACTS_FOLDER, buildDirectories, INDEX_FOLDER } from "../../../../src/core/logs/build-directory.ts";
import { renderZuulParameters } from "../../../../src/core/zuul/launch-parameters.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

const BUILD = { namespace: "ci", jobName: "nova-unit-0123456789abcdef" };
const OWN = "_builds/ci/nova-unit-0123456789abcdef";

const wanted = (logPath: string | null) => buildDirectories(logPath, BUILD).wanted;

describe("the directory of a build", () => {
  test("is LOG_PATH as Zuul sends it: of a change, a branch and a timer", () => {
    const request = {
      ...{ jobName: "gate-nova-python27", uuid: "0123456789abcdef0123456789abcdef", project: "openstack/nova", pipeline: "gate" },
      ...{ zuulUrl: "http://zuul.example.org/p", isVoting: true },
    };
    const change = { kind: "change", branch: "master", number: "123456", patchset: "7", ref: "refs/zuul/master/Z1", commit: null } as const;
    const branch = { kind: "ref", ref: "refs/heads/master", oldRevision: "0".repeat(40), newRevision: "ab".repeat(20) } as const;
    const expected = [
      [change, "56/123456/7/gate/gate-nova-python27/0123456"],
      [branch, `ab/${"ab".repeat(20)}/gate/gate-nova-python27/0123456`],
      [{ kind: "timer" }, "gate/gate-nova-python27/0123456"],
    ] as const;
    for (const [item, directory] of expected) {
      const { LOG_PATH } = renderZuulParameters({ ...request, item });
      assert.deepEqual(buildDirectories(LOG_PATH as string, BUILD), { wanted: directory, own: OWN, why: undefined });
    }
  });

  for (const missing of [null, "", "  "])
    test(`is the build's own where LOG_PATH is ${JSON.stringify(missing)}, and nothing is wrong`, () => {
      assert.deepEqual(buildDirectories(missing, BUILD), { wanted: OWN, own: OWN, why: undefined });
    });

  const refused: [string, string, RegExp][] = [
    ["a way up", "a/../../etc", /"\.\."/],
    ["a way up at its end", "a/..", /"\.\."/],
    ["a way up with a blank, as Windows has it", "a/.. /b", /"\.\."/],
    ["a way to itself", "./a", /"\."/],
    ["NUL", "a\0b", /control/],
    ["a line feed", "a\nb", /control/],
    ["an escape sequence", "a\u001b[2Jb", /control/],
    ["half a character", "a\ud800", /half/],
    ["slashes alone", "///", /nothing/],
    ["too many parts", "a/".repeat(17), /16 parts/],
    ["a part that is too long", "é".repeat(101), /200 bytes/],
    ["too many bytes", `${"a".repeat(150)}/`.repeat(4), /512 bytes/],
    ["a place of the store's own", "_builds/ci/other-0123456789abcdef", /begins/],
    ["a place of the store's own, as another character", "~builds/x", /begins/],
    ["a hidden file", ".ssh/authorized_keys", /begins/],
  ];
  for (const [name, logPath, why] of refused) {
    test(`is the build's own, and why is said, where LOG_PATH has ${name}`, () => {
      const directories = buildDirectories(logPath, BUILD);
      assert.deepEqual([directories.wanted, directories.own], [OWN, OWN]);
      assert.match(directories.why ?? "", why);
    });
  }

  const mended: [string, string, string][] = [
    ["an absolute path", "/etc/passwd", "etc/passwd"],
    ["empty parts", "a//b/", "a/b"],
    ["another system's separators", "a\\..\\b", "a_.._b"],
    ["a drive", "C:/x", "C_/x"],
    ["what HTML, a shell and a URL read", "a/<b>$(c)?#%d", "a/_b___c____d"],
    ["a hidden part", "a/.git/b", "a/_git/b"],
    ["what Windows drops", "a./b ", "a_/b_"],
    ["letters of any script", "gate/тесты-é", "gate/тесты-é"],
    ["one letter written as two", "gate/e\u0301", "gate/é"],
    ["Windows' devices", "con/aux.log/COM1/nul.tar.gz/console", "con_/aux_.log/COM1_/nul_.tar.gz/console"],
    ["the folder of artifacts", "gate/Artifacts/x", "gate/Artifacts_/x"],
    ["what turns text around", "a/\u202etxt.exe", "a/_txt.exe"],
  ];
  for (const [name, logPath, directory] of mended) {
    test(`makes harmless ${name}`, () => assert.equal(wanted(logPath), directory));
  }

  test("stays below the store's, whatever LOG_PATH is, with names that are files' on every system", (context) => {
    const character = fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.constantFrom("/", "..", ".", "\\", "\0", "con", "_", "a", "é", "artifacts"),
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 60 }), (characters) => {
        const { wanted: directory, own, why } = buildDirectories(characters.join(""), BUILD);
        assert.equal(posix.normalize(directory), directory);
        assert.ok(!posix.isAbsolute(directory) && !win32.isAbsolute(directory) && !/[\\:]/.test(directory), directory);
        assert.ok(Buffer.byteLength(directory) <= 600, directory);
        if (directory === own) return;
        assert.equal(why, undefined);
        for (const name of directory.split("/")) {
          assert.doesNotMatch(name, /^[.]|[.\s]$|^(con|aux|prn|nul)(\.|$)|[\p{Cc}\p{Cf}\s]|^$/iu);
          assert.notEqual(name.toLowerCase(), ARTIFACTS_FOLDER);
        }
        assert.ok(!directory.startsWith("_"), `${directory} is in reach of what is the store's own, as ${INDEX_FOLDER}`);
        // Said again, it is the same: what is safe is left alone.
        assert.equal(wanted(directory), directory);
      }),
      fuzzParameters(context, 1000),
    );
  });
});
