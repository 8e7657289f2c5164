import { after, before, describe } from "node:test";
import { type ContractTarget, findRealKubeconfig, NO_REAL_SERVER, openFakeTarget, openRealTarget } from "./contract-target.ts";

const kubeconfig = await findRealKubeconfig();

/**
 * Holds the same tests against the fake API server and, where there is one, against a real one, each under its name. `hold` makes the tests:
 * its target is there when the first of them, or a `before` of its own, runs.
 */
export function describeContract(
  names: { fake: string; real: string },
  hold: (target: ContractTarget) => void,
  openFake: () => Promise<ContractTarget> = openFakeTarget,
): void {
  const holdAgainst = (open: () => Promise<ContractTarget>) => () => {
    const target = {} as ContractTarget;
    let opened: ContractTarget | undefined;
    before(async () => {
      opened = await open();
      Object.assign(target, opened);
    });
    after(() => opened?.[Symbol.asyncDispose]());
    hold(target);
  };
  describe(names.fake, holdAgainst(openFake));
  const skip = kubeconfig === undefined && NO_REAL_SERVER;
  describe(
    names.real,
    { skip },
    holdAgainst(() => openRealTarget(kubeconfig ?? "")),
  );
}
