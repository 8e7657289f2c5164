import assert from "node:assert/strict";
import { test } from "node:test";
import { pickAddresses } from "../../../../../deploy/local/node/cluster-network.ts";

test("the first cluster of a machine gets the first block, with the host, the node, the pods and the services in it", () => {
  assert.deepEqual(pickAddresses(["192.0.2.0/24", "172.17.0.0/16"]), {
    block: "10.213.0.0/20",
    host: "10.213.0.1",
    node: "10.213.0.2",
    pods: "10.213.4.0/22",
    services: "10.213.8.0/21",
    apiService: "10.213.8.1",
  });
});

test("a block that overlaps an address, a part or the whole of a network in use is passed over", () => {
  assert.equal(pickAddresses(["10.213.15.255"]).block, "10.213.16.0/20");
  assert.equal(pickAddresses(["10.213.0.0/20", "10.213.20.0/24"]).block, "10.213.32.0/20");
  assert.equal(pickAddresses(["10.213.0.0/16"]).block, "10.214.0.0/20");
});

test("what is no IPv4 network does not matter", () => {
  assert.equal(pickAddresses(["fd00::/64", "unreachable", "multicast"]).block, "10.213.0.0/20");
});

test("a machine whose networks leave no room is told so, with where to look", () => {
  assert.throws(() => pickAddresses(["10.0.0.0/8"]), /no free addresses .* ip route/);
});
