import { encodePacket } from "./codec.ts";
import { PACKET } from "./packet.ts";

/** Asks for a job of any function that the connection has announced; answered by JOB_ASSIGN_UNIQ or NO_JOB. */
export const GRAB = encodePacket(PACKET.GRAB_JOB_UNIQ);
/** After NO_JOB: asks for NOOP as soon as there is a job to grab. */
export const PRE_SLEEP = encodePacket(PACKET.PRE_SLEEP);
