import type { AssignedSlot } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Grouped } from "../../runtime/grouped.ts";
import { decodeText, splitFields } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { PACKET } from "../wire/packet.ts";
import { type AssignedJob, LiveAssignment, type SendEnd } from "./assignment.ts";
import { ClientWatch } from "./client-watch.ts";
import type { OnProof } from "./end-proofs.ts";

export interface LaneBuildsOptions {
  readonly server: string;
  readonly clock: Clock;
  readonly clientGoneAfterMs: number;
  countsClients(): boolean;
  /** An end was sent: asks the server whether it has read that. */
  askForProof(connection: OpenConnection, handle: string | Buffer, onProof: OnProof): void;
  /** See `Assignment.handBack`. */
  handBack(): boolean;
}

/** The builds that a server has given to a lane's connection, by handle, until it has read their ends. None outlives the connection. */
export class LaneBuilds {
  readonly #options: LaneBuildsOptions;
  readonly #byHandle = new Map<string, LiveAssignment>();
  /** The same ones; two of them may share a unique. */
  readonly #byUnique = new Grouped<LiveAssignment>();
  readonly #clients: ClientWatch;

  constructor(options: LaneBuildsOptions) {
    const { clock, clientGoneAfterMs: goneAfterMs } = options;
    this.#options = options;
    this.#clients = new ClientWatch({ clock, goneAfterMs });
  }

  get size(): number {
    return this.#byHandle.size;
  }

  /** Whether an end was sent that the server may not have read yet. */
  get areEndsUnread(): boolean {
    return this.#byHandle.values().some(({ isEnded }) => isEnded);
  }

  /** What a job is beside those under way: one handle has one answer. */
  compare(job: AssignedJob): "new" | "the same again" | "another under a handle in use" {
    const earlier = this.#byHandle.get(job.key);
    if (earlier === undefined || earlier.isEnded) return "new";
    return earlier.isSameJob(job) ? "the same again" : "another under a handle in use";
  }

  add(connection: OpenConnection, job: AssignedJob, slot: AssignedSlot): LiveAssignment {
    const { server, countsClients, askForProof, handBack } = this.#options;
    const sendEnd: SendEnd = (packet, handle, onAnswer) => {
      this.#clients.remove(assignment);
      connection.send(packet);
      askForProof(connection, handle, (isProven) => {
        if (isProven && this.#byHandle.get(job.key) === assignment) {
          this.#byHandle.delete(job.key);
          this.#byUnique.remove(job.key);
        }
        onAnswer(isProven);
      });
    };
    const lane = { connection, sendEnd, handBack };
    const assignment = new LiveAssignment(job, { server, slot, countsClients: countsClients(), lane });
    this.#byHandle.set(job.key, assignment);
    this.#byUnique.put(job.key, assignment.unique, assignment);
    this.#clients.add(assignment);
    return assignment;
  }

  /** From STATUS_RES_UNIQUE. gearmand finds a job by its unique alone: where two builds share one, it is not known whose clients these are. */
  takeClientCount(body: Buffer): void {
    const [unique, isKnown, , , , clients] = splitFields(PACKET.STATUS_RES_UNIQUE, body).map(decodeText);
    const [build, other] = this.#byUnique.of(unique ?? "");
    if (isKnown === "1" && other === undefined) build?.takeClientCount(Number(clients));
  }

  /** Their connection is gone; returns how many there were. */
  lose(): number {
    const lost = [...this.#byHandle.values()];
    this.#byHandle.clear();
    this.#byUnique.clear();
    this.#clients.clear();
    for (const assignment of lost) assignment.markLost();
    return lost.length;
  }
}
