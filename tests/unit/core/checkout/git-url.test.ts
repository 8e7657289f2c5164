import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type GitUrl,
  isBelowUrl,
  parseGitUrl,
  quoteForPeople,
  quoteUrlForPeople,
  renderGitUrl,
} from "../../../../src/core/checkout/git-url.ts";

function parse(text: string): GitUrl {
  const parsed = parseGitUrl(text);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? "" : parsed.problem}`);
  return parsed.url;
}

const GOOD: [text: string, url: GitUrl][] = [
  ["http://zuul.example", { scheme: "http", host: "zuul.example", path: "" }],
  ["http://zuul.example/", { scheme: "http", host: "zuul.example", path: "" }],
  ["https://Zuul.Example:8443/p/", { scheme: "https", host: "zuul.example", port: 8443, path: "/p" }],
  ["git://127.0.0.1:9418/a/b.git", { scheme: "git", host: "127.0.0.1", port: 9418, path: "/a/b.git" }],
  ["git://[2001:db8::1]:1/a", { scheme: "git", host: "[2001:db8::1]", port: 1, path: "/a" }],
  ["ssh://zuul@review.example:29418/~x", { scheme: "ssh", userInfo: "zuul", host: "review.example", port: 29418, path: "/~x" }],
  ["https://jo:s3cret@h/a%20b", { scheme: "https", userInfo: "jo:s3cret", host: "h", path: "/a%20b" }],
  ["http://h:1", { scheme: "http", host: "h", port: 1, path: "" }],
  ["http://a-b_c.d:65535/p", { scheme: "http", host: "a-b_c.d", port: 65535, path: "/p" }],
  [`http://h/${"a".repeat(2039)}`, { scheme: "http", host: "h", path: `/${"a".repeat(2039)}` }],
  ["http://merger.ci.svc.cluster.local./p", { scheme: "http", host: "merger.ci.svc.cluster.local.", path: "/p" }],
];

for (const [text, url] of GOOD) {
  test(`reads ${text.slice(0, 80)}`, () => assert.deepEqual(parse(text), url));
}

const BAD: [what: string, text: string, problem: RegExp][] = [
  ["a local file", "file:///etc", /scheme 'file' - only https, http, git and ssh/],
  ["a path", "/srv/git", /is no URL/],
  ["an option", "--upload-pack=touch /tmp/x", /is no URL/],
  ["an option that holds a URL", "--upload-pack=x://h/p", /scheme/],
  ["git's ext transport", "ext::sh -c touch% /tmp/x", /is no URL/],
  ["git's ext transport before a URL", "ext::git://h/p", /scheme 'ext::git'/],
  ["a transport before a URL", "http::https://h/p", /scheme/],
  ["scp's notation", "zuul@review.example:nova", /is no URL - write it as https, http, git or ssh, two slashes/],
  ["ftp", "ftp://h/p", /scheme 'ftp'/],
  ["a scheme in capitals", "HTTP://h/p", /scheme 'HTTP'/],
  ["a member of every object", "constructor://h/p", /scheme/],
  ["no scheme", "://h/p", /scheme ''/],
  ["no host", "http:///p", /no valid host/],
  ["nothing", "", /is no URL/],
  ["a host that ssh reads as an option", "ssh://-oProxyCommand=touch/x", /no valid host/],
  ["such a host behind a user", "ssh://git@-oProxyCommand=x/p", /no valid host/],
  ["a user that ssh reads as an option", "ssh://-oProxyCommand=x@h/p", /user name/],
  ["a password for ssh", "ssh://jo:s3cret@h/p", /user name/],
  ["a user for git", "git://jo@h/p", /user name/],
  ["two @", "http://good.example@evil.example@x/p", /no valid host|user name/],
  ["a backslash in the host", "http://evil.example\\@good.example/p", /user name|host/],
  ["a blank in the host", "http://h h/p", /no valid host/],
  ["a line break", "http://h/p\nHost: x", /path/],
  ["a NUL", "http://h/p\0", /path/],
  ["a port out of range", "http://h:65536/p", /port/],
  ["port 0", "http://h:0/p", /port/],
  ["no port behind its colon", "http://h:/p", /no valid host/],
  ["a query", "http://h/p?x=1", /path/],
  ["a fragment", "http://h/p#x", /path/],
  ["a step up", "http://h/a/../b", /path/],
  ["an encoded step up", "http://h/a/%2e%2E/b", /path/],
  ["an encoded slash", "http://h/a%2fb", /path/],
  ["an encoded NUL", "http://h/a%00", /path/],
  ["an encoded percent", "http://h/a%252e", /path/],
  ["an encoded question mark", "http://h/a%3fb", /path/],
  ["an encoded fragment", "http://h/a%23b", /path/],
  ["an encoded backslash", "http://h/a%5cb", /path/],
  ["an encoded colon", "http://h/a%3ab", /path/],
  ["a step that goes nowhere", "http://h/./b", /path/],
  ["no user before its @", "http://@h/p", /user name/],
  ["a user with a blank", "http://a b@h/p", /user name/],
  ["a host that ends with a dash", "http://h-/p", /no valid host/],
  ["one character too many", `http://h/${"a".repeat(2040)}`, /longer than 2048/],
  ["half an escape", "http://h/a%2", /path/],
  ["an empty part", "http://h/a//b", /path/],
  ["a shell's characters", "http://h/$(id)`id`", /path/],
  ["letters that look like others", "http://exаmple.org/p", /no valid host/],
  ["endless text", `http://h/${"a".repeat(3000)}`, /longer than 2048/],
];

for (const [what, text, problem] of BAD) {
  test(`refuses ${what}`, () => {
    const parsed = parseGitUrl(text);
    assert.ok(!parsed.ok, JSON.stringify(parsed));
    assert.match(parsed.problem, problem);
  });
}

test("shows no user of http and no password", () => {
  assert.equal(renderGitUrl(parse("https://token@h:1/p"), { credentials: false }), "https://h:1/p");
  assert.equal(renderGitUrl(parse("https://jo:s3cret@h/p"), { credentials: true }), "https://jo:s3cret@h/p");
  assert.equal(renderGitUrl(parse("ssh://zuul@h/p"), { credentials: false }), "ssh://zuul@h/p");
});

const BELOW: [url: string, prefix: string, isBelow: boolean][] = [
  ["https://git.example/nova", "https://git.example", true],
  ["https://git.example/nova", "https://git.example/", true],
  ["https://git.example/openstack/nova", "https://git.example/openstack/", true],
  ["https://git.example/openstack", "https://git.example/openstack", true],
  ["https://git.example/openstack-evil/nova", "https://git.example/openstack", false],
  ["https://git.example/", "https://git.example/openstack", false],
  ["https://git.example.evil/nova", "https://git.example", false],
  ["http://git.example/nova", "https://git.example", false],
  ["https://git.example:443/nova", "https://git.example", true],
  ["https://git.example:8443/nova", "https://git.example", false],
  ["git://git.example:9418/nova", "git://git.example", true],
  ["http://git.example/nova", "http://git.example:80", true],
  ["ssh://git.example/nova", "ssh://git.example:22", true],
  ["ssh://git.example:9418/nova", "ssh://git.example", false],
  ["git://git.example/nova", "http://git.example:9418", false],
  ["https://GIT.example/nova", "https://git.EXAMPLE", true],
  ["https://jo:x@git.example/nova", "https://git.example", true],
  ["ssh://other@git.example/nova", "ssh://zuul@git.example", false],
  ["ssh://zuul@git.example/nova", "ssh://zuul@git.example", true],
];

for (const [url, prefix, isBelow] of BELOW) {
  test(`${url} is ${isBelow ? "" : "not "}below ${prefix}`, () => assert.equal(isBelowUrl(parse(url), parse(prefix)), isBelow));
}

test("quotes hostile text shortly and on one line", () => {
  assert.equal(quoteForPeople("a'b\nc\u{1b}[31m"), "'a?b?c?[31m'");
  assert.equal(quoteForPeople("x".repeat(40)), `'${"x".repeat(40)}'`);
  assert.equal(quoteForPeople("x".repeat(41)), `'${"x".repeat(37)}...'`);
  assert.equal(quoteForPeople("x".repeat(100)), `'${"x".repeat(37)}...'`);
});

test("quoteUrlForPeople leaves out what may be a login", () => {
  const urls = {
    "https://user:s3cret@host": "'https://host'",
    "ftp://s3cret@host/p": "'ftp://host/p'",
    "user:s3/cret@https": "'https'",
    "https://a:s3c@ret@host": "'https://host'",
    "merger.example/p": "'merger.example/p'",
    "a\ns3cret@b": "'b'",
  };
  for (const [url, shown] of Object.entries(urls)) assert.equal(quoteUrlForPeople(url), shown);
  for (const url of ["user:s3cret@https://host/p", "ftp://user:s3cret@host"]) {
    const parsed = parseGitUrl(url);
    assert.ok(!parsed.ok && !parsed.problem.includes("s3cret"), JSON.stringify(parsed));
  }
});
