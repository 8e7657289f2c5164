import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { encodePacket } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { protocolViolation } from "../wire/gearman-error.ts";
import { GRAB, PRE_SLEEP } from "../wire/grab.ts";
import { PACKET, type PacketType } from "../wire/packet.ts";
import { parseAssignedJob } from "./assignment.ts";
import type { Role } from "./connector.ts";

export interface StopListenerOptions {
  readonly server: string;
  readonly clientId: string;
  /** `stop:<managerName>` is what Zuul asks for. */
  readonly managerName: string;
  readonly logger: Logger;
  onStop(payload: Buffer, server: string): void;
}

/**
 * The connection that takes Zuul's `stop:` requests. It is always asking for one: a GRAB cannot name a function, so on a lane a stop would
 * wait behind builds until there is a free slot.
 */
export class StopListener implements Role {
  readonly name = "manager";
  readonly wantsConnection = true;
  readonly payloadLimitBytes = 64 * 1024;
  readonly #options: StopListenerOptions;
  readonly #functionName: string;
  #connection: OpenConnection | undefined;
  #isGrabbing: boolean = false;
  #isAsleep: boolean = false;

  constructor(options: StopListenerOptions) {
    this.#options = options;
    this.#functionName = `stop:${options.managerName}`;
  }

  onOpen(connection: OpenConnection): void {
    this.#connection = connection;
    connection.send(encodePacket(PACKET.SET_CLIENT_ID, [this.#options.clientId]));
    connection.send(encodePacket(PACKET.CAN_DO, [this.#functionName]));
    this.#grab(connection);
  }

  onReady(): void {}

  onPacket(type: PacketType, body: Buffer, bodyBytes: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (type === PACKET.JOB_ASSIGN_UNIQ || type === PACKET.JOB_ASSIGN) {
      this.#takeGrabAnswer("an assignment");
      this.#answer(connection, type, body, bodyBytes);
      this.#grab(connection);
    } else if (type === PACKET.NO_JOB) {
      this.#takeGrabAnswer("NO_JOB");
      this.#isAsleep = true;
      connection.send(PRE_SLEEP);
    } else if (type === PACKET.NOOP && this.#isAsleep) {
      this.#grab(connection);
    }
  }

  onClose(): void {
    this.#connection = undefined;
  }

  #grab(connection: OpenConnection): void {
    this.#isAsleep = false;
    this.#isGrabbing = true;
    connection.send(GRAB);
  }

  #takeGrabAnswer(what: string): void {
    if (!this.#isGrabbing) throw protocolViolation(`${this.#options.server} sent ${what} that was not asked for`);
    this.#isGrabbing = false;
  }

  #answer(connection: OpenConnection, type: PacketType, body: Buffer, bodyBytes: number): void {
    const { server, logger, onStop } = this.#options;
    const { handle, functionName, payload } = parseAssignedJob(type, body, bodyBytes);
    if (functionName !== this.#functionName) {
      logger.warn({ server, functionName }, "refused a request for a function that the manager does not serve");
      connection.send(encodePacket(PACKET.WORK_FAIL, [handle]));
      return;
    }
    try {
      onStop(payload, server);
    } catch (error) {
      logger.error({ server, error: coerceError(error).stack }, "failed to handle a stop request");
    }
    // Zuul forgets the build whatever the answer is, but waits for one.
    connection.send(encodePacket(PACKET.WORK_COMPLETE, [handle, "{}"]));
  }
}
