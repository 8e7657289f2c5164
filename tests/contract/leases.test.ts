import assert from "node:assert/strict";
import { it } from "node:test";
import { Replicas } from "../../src/controllers/replicas/replicas.ts";
import { isOurs, isReleased, leaseLabels, renderLeaseSpec, renderReleasedSpec } from "../../src/core/replicas/leadership.ts";
import { LEASES } from "../../src/kube/client/resource.ts";
import { LeaseObjects } from "../../src/kube/objects/lease-objects.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { makeOnlookers } from "../support/onlookers.ts";
import { silentLogger } from "../support/silent-logger.ts";
import type { ContractTarget } from "./contract-target.ts";
import { describeContract } from "./describe-contract.ts";

describeContract({ fake: "Leases of the fake API server", real: "Leases of a real API server" }, holdContract);

const NEVER = new AbortController().signal;

function holdContract(target: ContractTarget): void {
  const openLeases = (namespace: string) =>
    new LeaseObjects({ client: target.client, namespace, installation: "ci", clock: systemClock, logger: silentLogger });

  it("are given back with times and names as they were written, renewed and released", async () => {
    const leases = openLeases(await target.makeNamespace());
    const began = new Date();
    const made = await leases.create("ci", renderLeaseSpec("a", began, began, undefined), NEVER);
    assert.ok(made);
    assert.deepEqual(made.spec, renderLeaseSpec("a", began, began, undefined));
    assert.deepEqual(made.metadata.labels, leaseLabels("ci"));
    assert.ok(isOurs(made, "a", [began]));
    const renewed = await leases.update(made, renderLeaseSpec("a", began, began, made), NEVER);
    assert.ok(renewed);
    assert.notEqual(renewed.metadata.resourceVersion, made.metadata.resourceVersion, "the same millisecond makes a renewal, too");
    const released = await leases.update(renewed, renderReleasedSpec(began, renewed), NEVER);
    assert.ok(released && isReleased(released));
    const taken = await leases.update(released, renderLeaseSpec("b", began, began, released), NEVER);
    assert.equal(taken?.spec?.leaseTransitions, 1);
    assert.deepEqual(await leases.get("ci", NEVER), taken);
    await leases.stop();
  });

  it("are made once, written on the version that was seen, and deleted as the object that was seen", async () => {
    const leases = openLeases(await target.makeNamespace());
    const began = new Date();
    const spec = renderLeaseSpec("a", began, began, undefined);
    const both = await Promise.all([leases.create("ci", spec, NEVER), leases.create("ci", spec, NEVER)]);
    const [made] = both.filter((each) => each !== undefined);
    assert.equal(both.filter((each) => each !== undefined).length, 1);
    assert.ok(made);
    const writes = await Promise.all(["b", "c", "d"].map((name) => leases.update(made, { ...spec, holderIdentity: name }, NEVER)));
    assert.equal(writes.filter((each) => each !== undefined).length, 1);
    await leases.delete({ ...made, metadata: { ...made.metadata, uid: "00000000-0000-0000-0000-000000000000" } }, NEVER);
    assert.ok(await leases.get("ci", NEVER));
    await leases.delete(made, NEVER);
    assert.equal(await leases.get("ci", NEVER), undefined);
    assert.equal(await leases.update(made, spec, NEVER), undefined);
    await leases.stop();
  });

  it("hand an installation from one replica to the other within 2 s, and are left behind released", async (context) => {
    const namespace = await target.makeNamespace();
    const { look, until } = makeOnlookers(20_000);
    const start = async (replica: string) => {
      const leases = openLeases(namespace);
      const shared = { leases, installation: "ci", replica, clock: systemClock, logger: silentLogger };
      const replicas = new Replicas({ ...shared, onChange: look });
      leases.onChange(look);
      await leases.start();
      await replicas.start();
      const dispose = async () => {
        await replicas.stop();
        await leases.stop();
      };
      return { leases, replicas, [Symbol.asyncDispose]: dispose };
    };
    await using a = await start("a-11111");
    await until(() => a.replicas.isHolder);
    await using b = await start("b-11111");
    await until(() => Boolean(b.leases.cached("ci") && a.leases.cached("ci-b-11111")));
    const startedMs = performance.now();
    await a.replicas.stop();
    await until(() => b.replicas.isHolder);
    const ms = performance.now() - startedMs;
    context.diagnostic(`taken over ${ms.toFixed(0)} ms after the stop began`);
    assert.ok(ms < 2_000);
    await b.replicas.stop();
    const { items } = await target.client.list<{ metadata: { name: string }; spec: object }>(LEASES, namespace);
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ["ci"],
    );
  });
}
