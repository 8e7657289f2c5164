import type { ContainerRoles } from "../../../src/core/kubernetes/container-roles.ts";
import type { Condition, Container, ContainerStatus, Job, KubeEvent, Pod, TerminatedState } from "../../../src/core/kubernetes/objects.ts";
import type { VerdictClass } from "../../../src/core/verdict/rules/verdict-rule.ts";
import type { Disturbance, HistoryPlan, PlannedContainer } from "./history-plan.ts";

export const WORLD_START = Date.parse("2026-01-01T00:00:00Z");
/** What the kubelet needs to see that a container has ended. */
const LOOK_MS = 1000;
const GRACE_MS = 30_000;
/** No node goes down and comes back in less. */
const SHORT_ABSENCE_MS = 18_000;
const BACKSTOP_MS = 90 * 60_000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Those of the builds that are followed. */
export const RUN_LIMIT_MS = 60 * MINUTE;
export const PULL_LIMIT_MS = 10 * MINUTE;

type Kind = "init" | "sidecar" | "regular";

interface Actor {
  plan: PlannedContainer;
  kind: Kind;
  isOurs: boolean;
  status: ContainerStatus;
  hasBegun: boolean;
}

interface Cause {
  who: string;
  classes: readonly VerdictClass[];
}

/** How somebody else than its containers ends a pod. */
interface PodEnd {
  reason?: string;
  message?: string;
  conditions?: Condition[];
  isDeletion?: boolean;
}

/**
 * A cluster with one build's Job in it: scheduler, kubelet, runtime, node, and whoever disturbs them. It does to the pod what its plan says,
 * and remembers who ended the test, or kept it from running: `allowed` follows from that alone, and not from what the pod shows.
 */
export class PodWorld {
  readonly plan: HistoryPlan;
  readonly roles: ContainerRoles;
  nowMs = WORLD_START;
  /** Zuul has asked to stop the build. */
  isStopped = false;
  /** No operator is there. */
  isUnwatched = false;
  /** Who ended the test, or the pod before it. */
  #cause: Cause | undefined;
  /** What the test waits for in vain, as long as nobody ends the pod. */
  #hold: Cause | undefined;
  #holdSinceMs = 0;
  #isDisturbed = false;
  readonly #actors: Actor[];
  readonly #queue: { atMs: number; happen: () => void }[] = [];
  #job: Job | undefined;
  #pod: Pod | undefined;
  /** What the API server has; the kubelet may be away. */
  #reported: Pod | undefined;
  #isKubeletUp = true;
  /** Whether all containers ran, as the kubelet last saw it, and since when. */
  #containersReady: Condition | undefined;
  /** What a kubelet that is away would have done. */
  readonly #waiting: (() => void)[] = [];
  #kubeletBackMs = 0;
  #isNodeGone = false;
  #hasTestBegun = false;
  /** Nothing of its pod will begin any more, and nobody says so. */
  #isForgotten = false;
  /** What it means that the pod is ended by what the operator asked for, or for its own limit, though its test has ended before. */
  readonly #asked: VerdictClass[] = [];
  #wasUnwatched = false;
  #wasFrozen = false;
  #isEnding = false;
  #killed: string | undefined;
  #events: KubeEvent[] = [];
  #ends: PodEnd | undefined;

  constructor(plan: HistoryPlan) {
    this.plan = plan;
    const { test, others, services, inits, injected, hasCheckout } = plan;
    const actor = (each: PlannedContainer, kind: Kind, isOurs: boolean): Actor => ({
      ...{ plan: each, kind, isOurs, hasBegun: false },
      status: { name: each.name, state: { waiting: { reason: "PodInitializing" } }, restartCount: 0 },
    });
    const checkout = hasCheckout ? [actor({ ...plan.checkout, name: "checkout" }, "init", true)] : [];
    this.#actors = [
      ...injected.inits.map((each) => actor(each, "init", false)),
      ...injected.sidecars.map((each) => actor(each, "sidecar", false)),
      ...checkout,
      ...services.map((each) => actor(each, "sidecar", true)),
      ...inits.map((each) => actor(each, "init", true)),
      ...injected.first.map((each) => actor(each, "regular", false)),
      actor(test, "regular", true),
      ...others.map((each) => actor(each, "regular", true)),
      ...injected.last.map((each) => actor(each, "regular", false)),
    ];
    const names = (list: readonly PlannedContainer[]) => list.map(({ name }) => name);
    this.roles = {
      test: test.name,
      others: names(others),
      services: names(services),
      inits: names(inits),
      checkout: hasCheckout,
      collector: false,
      marked: plan.isScript,
    };
    this.#job = { metadata: { name: "unit-1", namespace: "ci", uid: "job-uid" }, spec: { template: { spec: { containers: [] } } } };
    this.#at(plan.podMs, () => this.#makePod());
    for (const disturbance of plan.disturbances) this.#at(disturbance.atMs, () => this.#disturb(disturbance));
  }

  /** Verdicts of these classes are right. */
  get allowed(): readonly VerdictClass[] {
    const own = [...((this.#cause ?? this.#hold)?.classes ?? [])];
    // One that was not there saw only that a service had ended before.
    const isCrashed = this.#wasUnwatched && !this.#hasTestBegun && this.plan.services.some(({ crashMs }) => crashMs !== undefined);
    // Nor is told by a kubelet that says nothing until the time for it is over.
    const isFrozen = this.#wasFrozen && this.plan.services.length > 0;
    if (this.#lacksImage || isCrashed || isFrozen) own.push("configuration");
    return [
      ...own,
      ...this.#asked,
      ...(this.#isDisturbed ? (["infrastructure"] as const) : []),
      ...(this.isStopped ? (["cancelled"] as const) : []),
    ];
  }

  /** None of the pod's images may be missing as long as its test has not begun. */
  get #lacksImage(): boolean {
    return this.#actors.some(({ isOurs, plan }) => isOurs && plan.image === "missing") && !this.#hasTestBegun;
  }

  /** Who ended the test, or kept it from running. */
  get who(): string | undefined {
    return (this.#cause ?? this.#hold)?.who;
  }

  /** When something happens next; undefined: nothing will. */
  get nextMs(): number | undefined {
    return this.#queue.length === 0 ? undefined : Math.min(...this.#queue.map(({ atMs }) => atMs));
  }

  /** True once nothing of the pod runs or can begin, or its kubelet has been told to end it. */
  get isLetGo(): boolean {
    const regular = this.#actors.filter(({ kind }) => kind === "regular");
    if (regular.every(({ status, plan }) => status.state?.terminated && !plan.again)) return true;
    const { deletionTimestamp } = this.#pod?.metadata ?? {};
    return (
      this.#pod === undefined ||
      deletionTimestamp !== undefined ||
      this.#isOver(this.#pod) ||
      this.#isEnding ||
      this.#ends !== undefined ||
      this.#isNodeGone
    );
  }

  /** The test runs at this moment, for the first time, and nobody is about to end it. */
  get isTestRunning(): boolean {
    const { state, restartCount } = this.#test.status;
    return state?.running !== undefined && restartCount === 0 && !this.isLetGo;
  }

  passTo(timeMs: number): void {
    for (let next = this.nextMs; next !== undefined && next <= timeMs; next = this.nextMs) {
      this.nowMs = Math.max(this.nowMs, next);
      const index = this.#queue.findIndex(({ atMs }) => atMs === next);
      const [{ happen } = { happen: () => {} }] = this.#queue.splice(index, 1);
      happen();
      this.#report();
    }
    this.nowMs = Math.max(this.nowMs, timeMs);
  }

  /** The API server's objects now. */
  show(): { job: Job | undefined; pods: Pod[]; killOf: () => string | undefined; events: KubeEvent[] } {
    this.#report();
    return { job: this.#job, pods: this.#reported ? [this.#reported] : [], killOf: () => this.#killed, events: this.#events };
  }

  /** The operator lowers the pod's deadline. */
  endPod(): void {
    if (!this.#pod || this.#isEnding) return;
    const classes = this.#classesOfEnd();
    // A kubelet that is away may begin the test yet, before it hears of the end.
    this.#asked.push(...classes, ...(this.#lacksImage ? (["configuration"] as const) : []));
    this.#isEnding = true;
    this.#pod = { ...this.#pod, spec: { ...this.#pod.spec, activeDeadlineSeconds: 1 } as Pod["spec"] & object };
    if (this.#reported) this.#reported = { ...this.#reported, spec: this.#pod.spec as Pod["spec"] & object };
    this.#at(LOOK_MS, () => {
      this.#wait(() => this.#deadline("the operator", classes));
    });
  }

  /** What it means that the operator ends the pod now; its clock may be a minute ahead. */
  #classesOfEnd(): readonly VerdictClass[] {
    if (this.isStopped) return ["cancelled"];
    const startedAt = this.#test.status.state?.running?.startedAt;
    if (startedAt) return this.nowMs - Date.parse(startedAt) >= RUN_LIMIT_MS - MINUTE ? ["failure"] : [];
    if (this.#hold === undefined) return this.nowMs - WORLD_START < PULL_LIMIT_MS - MINUTE ? [] : ["infrastructure"];
    // What has only just begun to be missing may come yet.
    return this.nowMs - this.#holdSinceMs > 2 * MINUTE ? this.#hold.classes : [...this.#hold.classes, "infrastructure"];
  }

  deleteJob(): void {
    this.#job = undefined;
    this.#pod = undefined;
    this.#reported = undefined;
    this.#queue.length = 0;
  }

  #deadline(why: string, classes: readonly VerdictClass[]): void {
    this.#endBy(why, classes, { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
  }

  get #test(): Actor {
    return this.#actors.find(({ plan, isOurs, kind }) => isOurs && kind === "regular" && plan === this.plan.test) as Actor;
  }

  #at(delayMs: number, happen: () => void): void {
    this.#queue.push({ atMs: this.nowMs + delayMs, happen });
  }

  /** Until the kubelet is there again; never on a node that is gone. */
  #wait(happen: () => void): void {
    if (this.#isKubeletUp) happen();
    else this.#waiting.push(happen);
  }

  #takeKubelet(forMs: number): void {
    this.#report();
    this.#isKubeletUp = false;
    this.#kubeletBackMs = Math.max(this.#kubeletBackMs, this.nowMs + forMs);
    this.#at(forMs, () => this.#returnKubelet());
  }

  #returnKubelet(): void {
    if (this.#isNodeGone || this.nowMs < this.#kubeletBackMs) return;
    this.#isKubeletUp = true;
    for (const happen of this.#waiting.splice(0)) happen();
  }

  /** The first that ends the test, or keeps it from running, is who did. */
  #blame(who: string, classes: readonly VerdictClass[]): void {
    this.#cause ??= { who, classes };
  }

  #holdUp(who: string, classes: readonly VerdictClass[]): void {
    if (this.#hold) return;
    this.#hold = { who, classes };
    this.#holdSinceMs = this.nowMs;
  }

  #isOver({ status }: Pod): boolean {
    return status?.phase === "Succeeded" || status?.phase === "Failed";
  }

  #makePod(): void {
    if (!this.#job || this.#job.metadata.deletionTimestamp) return;
    const spec = ({ plan, kind }: Actor): Container => ({
      name: plan.name,
      ...(kind === "sidecar" ? { restartPolicy: "Always" } : {}),
      ...(plan.again ? { restartPolicy: "OnFailure" } : {}),
      ...(plan.memory ? { resources: { limits: { memory: plan.memory } } } : {}),
    });
    const inits = this.#actors.filter(({ kind }) => kind !== "regular");
    this.#pod = {
      metadata: { name: "unit-1-abcde", namespace: "ci", uid: "pod-uid", creationTimestamp: this.#time() },
      spec: {
        containers: this.#actors.filter(({ kind }) => kind === "regular").map(spec),
        ...(inits.length > 0 ? { initContainers: inits.map(spec) } : {}),
        activeDeadlineSeconds: BACKSTOP_MS / 1000,
      },
      status: { phase: "Pending" },
    };
    this.#at(this.plan.scheduleMs, () => this.#wait(() => this.#takePod()));
  }

  #takePod(): void {
    if (!this.#pod?.status || this.#ends) return;
    const { spec, status } = this.#pod;
    this.#pod = {
      ...this.#pod,
      spec: { ...spec, nodeName: "node-1" } as Pod["spec"] & object,
      status: { ...status, startTime: this.#time() },
    };
    this.#at(BACKSTOP_MS, () => {
      if (!this.isLetGo) this.#isDisturbed = true;
      this.#wait(() => this.#deadline("the pod's own deadline", ["failure", "infrastructure"]));
    });
    this.#beginNext();
  }

  /** Init containers begin one after another, the others together. */
  #beginNext(): void {
    if (this.#ends || !this.#pod || this.#isOver(this.#pod) || this.#isForgotten) return;
    const next = this.#actors.find((each) => each.kind !== "regular" && !each.hasBegun);
    if (next) this.#begin(next);
    else for (const each of this.#actors) if (each.kind === "regular" && !each.hasBegun) this.#begin(each);
  }

  #begin(actor: Actor): void {
    const { plan } = actor;
    actor.hasBegun = true;
    if (plan.image === "missing") {
      actor.status.state = { waiting: { reason: "ErrImagePull", message: `${plan.name}: manifest unknown` } };
      const blocks = actor === this.#test || actor.kind !== "regular";
      if (blocks) this.#holdUp(`the image of ${plan.name} is not there`, [actor.isOurs ? "configuration" : "infrastructure"]);
      return;
    }
    actor.status.state = { waiting: { reason: "ContainerCreating" } };
    this.#at(plan.pullMs, () => this.#wait(() => this.#run(actor)));
  }

  #run(actor: Actor): void {
    const { plan, kind, status } = actor;
    if (this.#ends || !this.#pod || this.#isOver(this.#pod) || this.#isForgotten) return;
    status.state = { running: { startedAt: this.#time() } };
    status.containerID = `containerd://${plan.name}`;
    if (actor === this.#test) this.#hasTestBegun = true;
    if (kind === "sidecar") {
      status.started = plan.isReady === true;
      if (plan.isReady) this.#beginNext();
      else this.#holdUp(`${plan.name} does not get ready`, [actor.isOurs ? "configuration" : "infrastructure"]);
      if (plan.crashMs !== undefined) this.#at(plan.crashMs, () => this.#crash(actor));
      return;
    }
    const runs = status.restartCount ?? 0;
    if (plan.runMs !== undefined)
      this.#at(plan.runMs, () => this.#exit(actor, runs, { exitCode: plan.exitCodes[runs] ?? plan.exitCodes.at(-1) ?? 0 }));
  }

  /** A service ends by itself and is started again at once. */
  #crash({ status, plan }: Actor): void {
    if (this.#ends || !status.state?.running) return;
    status.lastState = { terminated: this.#ended({ exitCode: 1 }, status.state.running.startedAt) };
    status.state = { running: { startedAt: this.#time() } };
    status.restartCount = (status.restartCount ?? 0) + 1;
    status.started = plan.isReady === true;
  }

  /** A container ends by itself. */
  #exit(actor: Actor, run: number, end: TerminatedState): void {
    const { status, plan, kind } = actor;
    if (!status.state?.running || (status.restartCount ?? 0) !== run || this.#ends) return;
    // For want of memory its runner is killed with it.
    const how = plan.isOom ? { ...end, reason: "OOMKilled" } : { ...end, ...this.#said(actor, end.exitCode) };
    status.state = { terminated: this.#ended(how, status.state.running.startedAt) };
    if (actor === this.#test) {
      this.#blame(`the test itself, exit code ${end.exitCode}`, this.#classesOfTest(plan, end.exitCode));
      // Nobody saw that it was the test itself.
      if (!this.#isKubeletUp && this.#kubeletBackMs - this.nowMs > SHORT_ABSENCE_MS) this.#asked.push("infrastructure");
    }
    const hasFailed = end.exitCode !== 0 || plan.isOom === true;
    if (kind === "init" && hasFailed) {
      this.#blame(`init container ${plan.name}, exit code ${end.exitCode}`, this.#classesOfInit(actor, end.exitCode));
      this.#at(LOOK_MS, () => this.#finish());
    } else if (kind === "init") this.#beginNext();
    else if (plan.again && end.exitCode !== 0) this.#at(run < 2 ? SECOND : 5 * MINUTE, () => this.#wait(() => this.#again(actor)));
    else this.#checkOver();
  }

  #again(actor: Actor): void {
    const { status } = actor;
    if (this.#ends || !status.state?.terminated) return;
    status.lastState = { terminated: status.state.terminated };
    status.restartCount = (status.restartCount ?? 0) + 1;
    if (actor === this.#test) this.#blameRuns();
    this.#run(actor);
  }

  /** Of more than two runs of the test, or of two of which the kubelet has lost one, the first end is seen no more. */
  #blameRuns(): void {
    if ((this.#test.status.restartCount ?? 0) > 1)
      this.#cause = { who: "a test that ran again and again", classes: ["failure", "configuration"] };
  }

  #classesOfTest({ isOom, memory, runMs = 0 }: PlannedContainer, exitCode: number): readonly VerdictClass[] {
    // It had more than its time, and nobody was there to end it.
    if (runMs > RUN_LIMIT_MS) return ["success", "failure"];
    if (exitCode === 0) return ["success"];
    return [isOom && !memory ? "infrastructure" : "failure"];
  }

  #classesOfInit({ plan, isOurs }: Actor, exitCode: number): readonly VerdictClass[] {
    if (!isOurs) return ["infrastructure"];
    if (plan.name !== "checkout") return [plan.isOom && !plan.memory ? "infrastructure" : "failure"];
    if (plan.isOom) return [plan.memory ? "configuration" : "infrastructure"];
    return [exitCode === 78 ? "configuration" : exitCode === 65 ? "failure" : "infrastructure"];
  }

  /** The kubelet ends what is left when every container that is no sidecar has. */
  #checkOver(): void {
    const regular = this.#actors.filter(({ kind }) => kind === "regular");
    if (regular.every(({ status, plan }) => status.state?.terminated && !(plan.again && status.state.terminated.exitCode !== 0))) {
      this.#at(LOOK_MS, () => this.#wait(() => this.#finish()));
    }
  }

  /** Somebody else than its containers ends the pod: TERM, the grace, KILL. */
  #endBy(who: string, classes: readonly VerdictClass[], ends: PodEnd): void {
    if (!this.#pod || this.#isOver(this.#pod) || this.#ends || this.#isNodeGone) return;
    this.#ends = ends;
    this.#blame(who, classes);
    const isRunning = this.#actors.filter(({ status }) => status.state?.running);
    const { onTerm } = this.plan;
    const graceMs = onTerm === "ignores" ? GRACE_MS : LOOK_MS;
    this.#at(graceMs, () => {
      for (const actor of isRunning) {
        const exitCode = onTerm === "ignores" ? 137 : onTerm;
        const { running } = actor.status.state ?? {};
        const said = onTerm === "ignores" ? {} : this.#said(actor, exitCode);
        if (running) actor.status.state = { terminated: this.#ended({ exitCode, ...said }, running.startedAt) };
      }
    });
    this.#at(graceMs + LOOK_MS, () => this.#finish());
  }

  #finish(): void {
    if (!this.#pod?.status || this.#isOver(this.#pod)) return;
    for (const { kind, status } of this.#actors) {
      if (kind === "sidecar" && status.state?.running)
        status.state = { terminated: this.#ended({ exitCode: 143 }, status.state.running.startedAt) };
    }
    const { reason, message, conditions, isDeletion } = this.#ends ?? {};
    const isPassed = this.#actors.every(({ kind, status }) => kind === "sidecar" || status.state?.terminated?.exitCode === 0);
    const isTold = reason !== undefined && (reason === "DeadlineExceeded" || !isPassed);
    this.#pod = {
      ...this.#pod,
      status: {
        ...this.#pod.status,
        phase: isTold || !isPassed ? "Failed" : "Succeeded",
        ...(isTold ? { reason } : {}),
        ...(isTold && message !== undefined ? { message } : {}),
        ...(conditions && (isTold || isDeletion) ? { conditions } : {}),
      },
    };
    if (isDeletion) this.#at(LOOK_MS, () => this.#vanish());
  }

  #vanish(): void {
    this.#pod = undefined;
    this.#reported = undefined;
  }

  #disturb(disturbance: Disturbance): void {
    const isDone = this.#pod !== undefined && this.#isOver(this.#pod);
    const isGone = this.#job !== undefined && this.#pod === undefined;
    switch (disturbance.kind) {
      case "stop":
        this.isStopped = true;
        return;
      case "absence":
        this.isUnwatched = true;
        this.#wasUnwatched = true;
        if (!this.#job) this.#isEnding = true;
        this.#at(disturbance.forMs, () => {
          this.isUnwatched = false;
        });
        return;
      case "kubelet-away":
        if (!this.#isKubeletUp) return;
        this.#takeKubelet(disturbance.forMs);
        // So long is none of the build's limits.
        if (disturbance.forMs >= PULL_LIMIT_MS) {
          this.#isDisturbed = true;
          this.#wasFrozen = true;
        }
        return;
    }
    if (isDone || isGone || !this.#pod || this.#isNodeGone) return;
    this.#isDisturbed = true;
    switch (disturbance.kind) {
      case "evicted":
      case "out-of-disk":
        this.#wait(() => this.#evict(disturbance.kind === "out-of-disk"));
        break;
      case "drained":
        this.#delete("a drain", [disrupted("EvictionByEvictionAPI")]);
        break;
      case "preempted":
        this.#delete("the scheduler", [disrupted("PreemptionByScheduler")]);
        break;
      case "pod-deleted":
        this.#delete("somebody who deleted the pod", []);
        break;
      case "job-deleted":
        if (this.#job) this.#job = { ...this.#job, metadata: { ...this.#job.metadata, deletionTimestamp: this.#time() } };
        this.#delete("somebody who deleted the Job", []);
        break;
      case "job-orphaned":
        this.#job = undefined;
        // Nobody will ever look for the build.
        if (this.isUnwatched) this.#isEnding = true;
        this.#blame("somebody who deleted the Job without its pod", ["infrastructure"]);
        break;
      case "announced":
        this.#announce();
        break;
      case "node-reset":
        this.#reset();
        break;
      case "node-shutdown":
        this.#shutDown();
        break;
      case "node-shutdown-told":
        this.#wait(() => this.#tellShutdown());
        break;
      case "node-gone":
        this.#lose();
        break;
      case "container-lost":
        this.#wait(() => this.#loseSight());
        break;
      case "shim-killed":
        this.#killShim();
        break;
    }
  }

  #evict(isOwnLimit: boolean): void {
    const message = isOwnLimit
      ? "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. "
      : "The node was low on resource: memory. ";
    if (!this.#pod || this.#isOver(this.#pod) || this.#ends || !this.#pod.spec?.nodeName) return;
    this.#kill();
    this.#events = [{ metadata: { name: "e", namespace: "ci" }, reason: "Evicted", message, type: "Warning", lastTimestamp: this.#time() }];
    if (isOwnLimit) this.#asked.push("failure");
    const conditions = isOwnLimit ? {} : { conditions: [disrupted("TerminationByKubelet")] };
    this.#endBy("the kubelet, which evicted the pod", [isOwnLimit ? "failure" : "infrastructure"], {
      reason: "Evicted",
      message,
      ...conditions,
    });
  }

  /** The kubelet says that it ends containers; unheard of, exit code 0 is like any other. */
  #kill(): void {
    const isToldOf = this.#actors.some(
      ({ isOurs, kind, status }) => isOurs && (kind === "init" || status === this.#test.status) && status.state?.running,
    );
    if (!isToldOf) return;
    if (this.plan.isKillHeard) this.#killed = "Stopping container";
    else if (this.plan.onTerm === 0) this.#asked.push("success");
  }

  #delete(who: string, conditions: Condition[]): void {
    if (!this.#pod?.status) return;
    this.#pod = {
      ...this.#pod,
      metadata: { ...this.#pod.metadata, deletionTimestamp: this.#time() },
      status: { ...this.#pod.status, ...(conditions.length > 0 ? { conditions } : {}) },
    };
    const { metadata, status } = this.#pod;
    // The API server's own fields, which need no kubelet.
    if (this.#reported)
      this.#reported = { ...this.#reported, metadata, status: { ...this.#reported.status, ...this.#conditionsOf(status) } };
    if (!this.#pod.spec?.nodeName) {
      this.#blame(who, ["infrastructure"]);
      this.#vanish();
      return;
    }
    this.#blame(who, ["infrastructure"]);
    this.#wait(() => this.#endBy(who, ["infrastructure"], { conditions, isDeletion: true }));
  }

  /** A disruption that does not come; the controller takes the condition back after two minutes. */
  #announce(): void {
    const say = (status: "True" | "False") => {
      if (!this.#pod?.status) return;
      this.#pod = { ...this.#pod, status: { ...this.#pod.status, conditions: [{ ...disrupted("EvictionByEvictionAPI"), status }] } };
    };
    say("True");
    this.#at(2 * MINUTE, () => say("False"));
  }

  /** Power loss: the runtime finds its containers gone. */
  #reset(): void {
    if (!this.#pod?.spec?.nodeName || this.#ends) return;
    const isRunning = this.#actors.filter(({ kind, status }) => status.state?.running && kind !== "sidecar");
    if (isRunning.length === 0 && !this.#hasTestBegun) {
      this.#resetBeforeTest();
      return;
    }
    this.#ends = {};
    if (!this.#test.status.state?.terminated) this.#blame("a reset of the node", ["infrastructure"]);
    this.#takeKubelet(20 * SECOND);
    this.#at(20 * SECOND, () => {
      for (const { status } of isRunning) {
        status.state = { terminated: this.#ended({ exitCode: 255, reason: "Unknown" }, status.state?.running?.startedAt) };
      }
    });
    this.#at(22 * SECOND, () => {
      if (this.#pod) this.#pod = { ...this.#pod, status: { ...this.#pod.status, phase: "Failed" } };
    });
  }

  /** A pod of which nothing was made yet is begun as if nothing had been; no other one is, though it is there to be ended. */
  #resetBeforeTest(): void {
    this.#takeKubelet(20 * SECOND);
    const waits = this.#actors.filter(({ status }) => status.state?.waiting?.reason === "ContainerCreating");
    if (this.plan.isMade) for (const { plan, status } of waits) status.containerID = `containerd://${plan.name}`;
    if (!this.#actors.some(({ status }) => status.containerID)) return;
    this.#blame("a reset of the node", ["infrastructure"]);
    this.#isForgotten = true;
    for (const { kind, status } of this.#actors) if (kind === "sidecar" && status.state?.running) status.state = { waiting: {} };
  }

  /** The kubelet is gone first; then everything gets TERM, whose end the runtime notes. */
  #shutDown(): void {
    if (!this.#pod?.spec?.nodeName || this.#ends || this.#isOver(this.#pod)) return;
    this.#takeKubelet(this.plan.onTerm === "ignores" ? GRACE_MS + 40 * SECOND : 40 * SECOND);
    this.#at(LOOK_MS, () => {
      // The kubelet's word that not all containers run any more is what tells; it has said so before.
      if (this.#containersReady?.status !== "True") this.#asked.push(this.plan.onTerm === 0 ? "success" : "failure");
      this.#endBy("a node that shut down", ["infrastructure"], {});
    });
  }

  /** The kubelet ends the pods of a node that shuts down, and the node comes back. */
  #tellShutdown(): void {
    if (!this.#pod?.spec?.nodeName || this.#isOver(this.#pod) || this.#ends) return;
    this.#kill();
    const message = "Pod was terminated in response to imminent node shutdown.";
    const conditions = [disrupted("TerminationByKubelet")];
    this.#endBy("the kubelet of a node that shut down", ["infrastructure"], { reason: "Terminated", message, conditions });
  }

  /** Nobody comes back; what manages taints deletes the pod, which stays as it is. */
  #lose(): void {
    if (!this.#pod?.spec?.nodeName) return;
    this.#report();
    this.#isNodeGone = true;
    this.#wasFrozen = true;
    this.#isKubeletUp = false;
    if (!this.#test.status.state?.terminated) this.#blame("a node that was lost", ["infrastructure"]);
    this.#at(5 * MINUTE, () => this.#delete("the manager of taints", [disrupted("DeletionByTaintManager")]));
  }

  #loseSight(): void {
    const { status } = this.#test;
    if (!status.state?.running || this.#ends) return;
    status.state = { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", startedAt: null, finishedAt: null } };
    // The kubelet counts what it has lost as another start.
    status.restartCount = (status.restartCount ?? 0) + 1;
    this.#blame("a kubelet that lost sight of the test", ["infrastructure"]);
    this.#blameRuns();
    this.#checkOver();
  }

  /** Runtimes make up an exit code for containers that have lost their shim, all of the pod's. */
  #killShim(): void {
    if (!this.#test.status.state?.running || this.#ends) return;
    this.#ends = {};
    const exitCode = this.plan.onTerm === "ignores" ? 137 : 255;
    // The kubelet may see that the pod's sandbox is gone before it sees that its containers are.
    if (this.plan.isKillHeard) this.#killed = "Stopping container";
    const looksLikeItsKill = this.plan.isKillHeard && exitCode === 137;
    this.#blame("a shim that died", [this.plan.isScript && !looksLikeItsKill ? "infrastructure" : "failure"]);
    for (const { status } of this.#actors) {
      const { running } = status.state ?? {};
      if (running) status.state = { terminated: this.#ended({ exitCode }, running.startedAt) };
    }
    this.#at(LOOK_MS, () => this.#wait(() => this.#finish()));
  }

  /** What the runner of a script says when that has ended. */
  #said(actor: Actor, exitCode: number): Partial<TerminatedState> {
    return actor === this.#test && this.plan.isScript ? { message: `ended ${exitCode}\n` } : {};
  }

  #ended(end: Partial<TerminatedState> & { exitCode: number }, startedAt: string | undefined): TerminatedState {
    return { reason: end.exitCode === 0 ? "Completed" : "Error", ...(startedAt ? { startedAt } : {}), finishedAt: this.#time(), ...end };
  }

  #time(): string {
    return `${new Date(this.nowMs).toISOString().slice(0, 19)}Z`;
  }

  #conditionsOf({ conditions = [] }: NonNullable<Pod["status"]> = {}): { conditions: Condition[] } {
    const hasSandbox = this.#actors.some(({ status }) => status.containerID) && !this.#isForgotten;
    const sandbox: Condition = { type: "PodReadyToStartContainers", status: hasSandbox ? "True" : "False" };
    return { conditions: [...conditions, sandbox, ...(this.#containersReady ? [this.#containersReady] : [])] };
  }

  #report(): void {
    if (!this.#pod) return;
    if (!this.#isKubeletUp && this.#reported) return;
    const isTaken = this.#pod.status?.startTime !== undefined;
    const statuses = (isInit: boolean) =>
      this.#actors.filter(({ kind }) => (kind !== "regular") === isInit).map(({ status }) => structuredClone(status));
    const phase =
      this.#pod.status?.phase === "Pending" && this.#actors.some(({ kind, hasBegun }) => kind === "regular" && hasBegun)
        ? "Running"
        : this.#pod.status?.phase;
    const isReady = this.#actors.every(({ kind, status: { state, started } }) =>
      kind === "init" ? state?.terminated?.exitCode === 0 : state?.running && (kind === "regular" || started),
    );
    const ready: Condition = { type: "ContainersReady", status: isReady ? "True" : "False" };
    if (isTaken && ready.status !== this.#containersReady?.status) this.#containersReady = { ...ready, lastTransitionTime: this.#time() };
    this.#reported = {
      ...this.#pod,
      status: {
        ...this.#pod.status,
        ...this.#conditionsOf(this.#pod.status),
        ...(phase ? { phase } : {}),
        ...(isTaken ? { initContainerStatuses: statuses(true), containerStatuses: statuses(false) } : {}),
      },
    };
  }
}

function disrupted(reason: string): Condition {
  return { type: "DisruptionTarget", status: "True", reason, message: reason };
}
