import { encodePacket } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { PACKET, type PacketType } from "../wire/packet.ts";
import type { Role } from "./connector.ts";

export type ServerKind = "gearmand" | "geard" | "unknown";

/** Connections in a row that may end over the probe. */
const MAX_PROBES = 3;

/**
 * The connection that registers every function and never asks for work, so that a name never leaves `status` while lanes come, go or stand
 * still: Zuul answers NOT_REGISTERED for a name that is not there. It also finds out which server this is.
 *
 * Its set only grows while connected: CANT_DO takes running builds away on gearmand and closes the connection on geard. A name that is not
 * wanted any more goes with the next connection.
 */
export class Registrar implements Role {
  readonly name = "registrar";
  readonly wantsConnection = true;
  readonly payloadLimitBytes = undefined;
  readonly #clientId: string;
  readonly #onChange: () => void;
  #functions: ReadonlySet<string> = new Set();
  readonly #sent = new Set<string>();
  #connection: OpenConnection | undefined;
  #isReady: boolean = false;
  #isRegistered: boolean = false;
  #kind: ServerKind = "unknown";
  #isProbing: boolean = false;
  /** How many connections in a row have ended before the server had answered the probe. */
  #endedOverProbe = 0;

  constructor(options: { clientId: string; onChange: () => void }) {
    this.#clientId = options.clientId;
    this.#onChange = options.onChange;
  }

  /** The server has answered on this connection. */
  get isConnected(): boolean {
    return this.#isReady;
  }

  /** The server has read every function that is wanted now. */
  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  get kind(): ServerKind {
    return this.#kind;
  }

  setFunctions(functions: ReadonlySet<string>): void {
    this.#functions = functions;
    if (this.#connection !== undefined) this.#register(this.#connection);
  }

  onOpen(connection: OpenConnection): void {
    this.#connection = connection;
    this.#sent.clear();
    connection.send(encodePacket(PACKET.SET_CLIENT_ID, [this.#clientId]));
    this.#register(connection);
  }

  onReady(): void {
    this.#isReady = true;
    this.#probe();
    this.#onChange();
  }

  onPacket(type: PacketType): void {
    if (type === PACKET.STATUS_RES_UNIQUE) this.#kind = "gearmand";
  }

  onClose(): void {
    this.#endedOverProbe = this.#isProbing ? this.#endedOverProbe + 1 : 0;
    this.#isProbing = false;
    this.#connection = undefined;
    this.#isReady = false;
    this.#isRegistered = false;
    this.#kind = "unknown";
    this.#onChange();
  }

  #register(connection: OpenConnection): void {
    const added = [...this.#functions].filter((name) => !this.#sent.has(name));
    if (added.length === 0 && this.#isRegistered) return;
    if (this.#isRegistered) {
      this.#isRegistered = false;
      this.#onChange();
    }
    for (const name of added) {
      this.#sent.add(name);
      connection.send(encodePacket(PACKET.CAN_DO, [name]));
    }
    const wanted = this.#functions;
    connection.requestProof((isProven) => {
      if (!isProven || wanted !== this.#functions) return;
      this.#isRegistered = true;
      this.#onChange();
    });
  }

  /**
   * gearmand answers GET_STATUS_UNIQUE, geard ignores it; both answer the GET_STATUS behind it. An old gearmand that does not know it closes the
   * connection, again and again, where a link that is reset just then comes back: so it is asked a few times, then left in peace until the
   * next connection after that.
   */
  #probe(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#endedOverProbe >= MAX_PROBES) return;
    this.#isProbing = true;
    connection.send(encodePacket(PACKET.GET_STATUS_UNIQUE, ["turbo-hipster:probe"]));
    connection.requestProof((isProven) => {
      if (!isProven) return;
      this.#isProbing = false;
      if (this.#kind === "unknown") this.#kind = "geard";
      this.#onChange();
    });
  }
}
