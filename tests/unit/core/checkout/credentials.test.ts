import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Credentials,
  chooseCredentials,
  readCredentials,
  renderGitConfig,
  type SecretData,
} from "../../../../src/core/checkout/credentials.ts";
import { parseGitUrl } from "../../../../src/core/checkout/git-url.ts";
import { CheckoutError } from "../../../../src/core/checkout/problem.ts";

const HTTPS = "https://git.example/ci";
const SSH = "ssh://git@git.example:29418";
const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
const CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

function urlOf(text: string): Credentials["url"] {
  const parsed = parseGitUrl(text);
  assert.ok(parsed.ok, text);
  return parsed.url;
}

const REFUSED: [url: string, data: SecretData, message: RegExp][] = [
  [HTTPS, {}, /has nothing for https - username and password, or token, ca\.crt or proxy/],
  [HTTPS, { "ssh-privatekey": KEY, known_hosts: "h k" }, /has nothing for https/],
  [HTTPS, { username: "jo" }, /lacks password/],
  [HTTPS, { password: "s3cret" }, /lacks username/],
  [HTTPS, { username: "jo", password: "" }, /has an empty password/],
  [HTTPS, { username: "jo", password: "s3cret\nX-Header: y" }, /has control characters in password/],
  [HTTPS, { username: "jo:s3cret", password: "s3cret" }, /has a username with a colon/],
  [HTTPS, { token: "s3cret", password: "s3cret" }, /has a token and a password/],
  [HTTPS, { token: "s3cret\r" }, /has control characters in token/],
  [HTTPS, { "ca.crt": "/etc/ssl/ca.crt" }, /has no certificate in ca\.crt/],
  [HTTPS, { proxy: "proxy.example:3128" }, /has no URL in proxy/],
  [SSH, {}, /lacks ssh-privatekey/],
  [SSH, { "ssh-privatekey": "s3cret", known_hosts: "h k" }, /has no private key in ssh-privatekey/],
  [SSH, { "ssh-privatekey": KEY }, /lacks known_hosts - what ssh-keyscan prints/],
  [SSH, { "ssh-privatekey": KEY, known_hosts: " \n" }, /lacks known_hosts/],
  ["http://git.example", { token: "s3cret" }, /are for https and ssh/],
  ["git://git.example", { token: "s3cret" }, /are for https and ssh/],
  ["file:///x", { token: "s3cret" }, /has the scheme/],
];
for (const [url, data, message] of REFUSED) {
  test(`a Secret with ${JSON.stringify(data).slice(0, 60)} is refused for ${url}, and nothing of it is told`, () => {
    assert.throws(
      () => readCredentials(url, data),
      (error) => {
        assert.ok(error instanceof CheckoutError);
        assert.equal(error.problem.fault, "configuration");
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      },
    );
  });
}

test("a login and a token become the header, without the newline at their end", () => {
  const login = readCredentials(HTTPS, { username: "jo\n", password: "p\u00e4ss\r\n" });
  assert.equal(login.authorization, `Basic ${Buffer.from("jo:p\u00e4ss").toString("base64")}`);
  assert.ok(login.secrets.includes("p\u00e4ss"));
  assert.equal(readCredentials(HTTPS, { token: "t\n", username: "ignored" }).authorization, "Bearer t");
});

test("a key has the line ends that ssh takes", () => {
  const { ssh } = readCredentials(SSH, { "ssh-privatekey": KEY.trimEnd().replaceAll("\n", "\r\n"), known_hosts: "h k" });
  assert.deepEqual(ssh, { privateKey: KEY, knownHosts: "h k\n" });
});

test("git's configuration is of the one server, and no value ends early", () => {
  const credentials = readCredentials("https://git.example:8443/ci/", { token: 'a"b\\c', "ca.crt": CA, proxy: "http://jo:s3cret@p:3128" });
  const text = renderGitConfig(credentials);
  assert.deepEqual(text.split("\n"), [
    '[http "https://git.example:8443/ci"]',
    '\textraHeader = "Authorization: Bearer a\\"b\\\\c"',
    '\tproxy = "http://jo:s3cret@p:3128"',
    '\tproxyAuthMethod = "basic"',
    "",
  ]);
  assert.ok(credentials.secrets.includes("jo:s3cret"));
  assert.ok(credentials.secrets.includes("s3cret"));
});

describe("credentials are of one scheme, host, port and path", () => {
  const all = [HTTPS, "https://git.example/ci/private", SSH].map((text) => ({ url: urlOf(text), text }));
  const CHOSEN: [url: string, chosen: string | undefined][] = [
    ["https://git.example/ci/org/project", HTTPS],
    ["https://git.example:443/ci/org/project", HTTPS],
    ["https://GIT.example/ci/private/project", "https://git.example/ci/private"],
    ["https://git.example/ci/privateer", HTTPS],
    ["https://git.example/cinema", undefined],
    ["https://git.example:8443/ci/org/project", undefined],
    ["http://git.example/ci/org/project", undefined],
    ["https://git.example.org/ci/org/project", undefined],
    ["ssh://git@git.example:29418/org/project", SSH],
    ["ssh://root@git.example:29418/org/project", undefined],
    ["ssh://git@git.example/org/project", undefined],
  ];
  for (const [url, chosen] of CHOSEN) {
    test(url, () => assert.equal(chooseCredentials(all, urlOf(url))?.text, chosen));
  }
  test("in whichever order they stand", () => {
    assert.equal(chooseCredentials(all.toReversed(), urlOf("https://git.example/ci/private/x"))?.text, "https://git.example/ci/private");
  });
});
