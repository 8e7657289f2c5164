import { connect } from "node:net";
import { encodePacket, makeWorkerLimits, PacketDecoder, splitFields } from "../../../src/gearman/wire/codec.ts";
import { PACKET, type PacketName } from "../../../src/gearman/wire/packet.ts";
import { Inbox } from "../gearman/worker/link-harness.ts";

export interface RawJob {
  readonly functionName: string;
  readonly unique: string;
  readonly payload: string;
  /** One packet for this job, whatever a worker should send or not. */
  send(name: PacketName, ...fields: (string | Uint8Array)[]): void;
  data(data: object): void;
  complete(data: object): void;
}

export interface RawWorker extends Disposable {
  readonly jobs: Inbox<RawJob>;
  /** Without a word, as a crash does it. */
  crash(): void;
}

/** A worker that takes every job at once and sends what the test says. Resolves when the server knows its functions. */
export async function startRawWorker(address: string, functions: readonly string[]): Promise<RawWorker> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  const ready = Promise.withResolvers<void>();
  const jobs = new Inbox<RawJob>();
  const grab = () => socket.write(encodePacket(PACKET.GRAB_JOB_UNIQ));
  const decoder = new PacketDecoder(makeWorkerLimits(), (type, body) => {
    if (type === PACKET.STATUS_RES) ready.resolve();
    else if (type === PACKET.NO_JOB) socket.write(encodePacket(PACKET.PRE_SLEEP));
    else if (type === PACKET.NOOP) grab();
    else if (type === PACKET.JOB_ASSIGN_UNIQ) {
      const [handle = "", functionName = "", unique = "", payload = ""] = splitFields(type, body).map((field) => field.toString());
      const send: RawJob["send"] = (name, ...fields) => socket.write(encodePacket(PACKET[name], [handle, ...fields]));
      jobs.push({
        functionName,
        unique,
        payload,
        send,
        data: (data) => send("WORK_DATA", JSON.stringify(data)),
        complete: (data) => send("WORK_COMPLETE", JSON.stringify(data)),
      });
      grab();
    }
  });
  socket.on("data", (chunk: Buffer) => decoder.push(chunk));
  socket.on("error", ready.reject);
  socket.on("connect", () => {
    for (const name of functions) socket.write(encodePacket(PACKET.CAN_DO, [name]));
    socket.write(encodePacket(PACKET.GET_STATUS, ["H:none"]));
    grab();
  });
  await ready.promise;
  return { jobs, crash: () => void socket.resetAndDestroy(), [Symbol.dispose]: () => void socket.destroy() };
}
