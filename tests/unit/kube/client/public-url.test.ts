import assert from "node:assert/strict";
import { test } from "node:test";
import { renderPublicUrl } from "../../../../src/kube/client/public-url.ts";

test("messages have no login of a server or a proxy", () => {
  const urls = {
    "https://user:secret@proxy.example:3128/path?secret#secret": "https://proxy.example:3128/path",
    "https://kube.example:6443": "https://kube.example:6443",
    "https://secret@kube.example/clusters/a/": "https://kube.example/clusters/a",
    "user:secret@proxy": "a URL that can't be read",
    "secret proxy": "a URL that can't be read",
    "": "a URL that can't be read",
  };
  for (const [url, shown] of Object.entries(urls)) assert.equal(renderPublicUrl(url), shown);
});
