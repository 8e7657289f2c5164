import { PacketDecoder, type PacketLimits, splitFields } from "../../../../src/gearman/wire/codec.ts";
import type { HandleStatus, OpenConnection } from "../../../../src/gearman/wire/connection.ts";
import type { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET, type PacketType, renderPacketName } from "../../../../src/gearman/wire/packet.ts";

const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type: PacketType) => [type, { maxBytes: 2 ** 24, onExcess: "violation" as const }]),
);

/** A connection without a network: what is sent is kept as text, and the test answers for the server. */
export interface FakeConnection extends OpenConnection {
  /** e.g. `CAN_DO build:a`, fields separated by a blank; the oldest first. */
  readonly sent: string[];
  readonly destroyedWith: GearmanError | undefined;
  /** GET_STATUS questions that wait for an answer, by handle. */
  readonly questions: readonly string[];
  /** Takes and returns what was sent since the last call. */
  takeSent(): string[];
  /** Answers the oldest question; the server knows the handle by default. */
  answer(isKnown?: boolean): void;
  /** The peer is gone: unanswered questions get no answer. The role's `onClose` is the test's to call. */
  close(): void;
}

export function makeFakeConnection(): FakeConnection {
  const sent: string[] = [];
  const asked: { handle: string; onAnswer: (status: HandleStatus | undefined) => void }[] = [];
  let isOpen = true;
  let destroyedWith: GearmanError | undefined;
  const decoder = new PacketDecoder(ANYTHING, (type, body) => {
    sent.push([renderPacketName(type), ...splitFields(type, body).map((field) => field.toString())].join(" "));
  });
  const requestStatus = (handle: Buffer | string, onAnswer: (status: HandleStatus | undefined) => void) => {
    sent.push(`GET_STATUS ${handle}`);
    asked.push({ handle: handle.toString(), onAnswer });
  };
  return {
    sent,
    get isOpen() {
      return isOpen;
    },
    get destroyedWith() {
      return destroyedWith;
    },
    get questions() {
      return asked.map(({ handle }) => handle);
    },
    send(packet) {
      if (isOpen) decoder.push(packet);
    },
    requestStatus,
    requestProof(onAnswer) {
      requestStatus("proof", (status) => onAnswer(status !== undefined));
    },
    destroy(reason) {
      destroyedWith ??= reason;
      isOpen = false;
    },
    takeSent: () => sent.splice(0),
    answer(isKnown = true) {
      asked.shift()?.onAnswer({ isKnown, isRunning: isKnown, numerator: 0, denominator: 0 });
    },
    close() {
      isOpen = false;
      for (const question of asked.splice(0)) question.onAnswer(undefined);
    },
  };
}
