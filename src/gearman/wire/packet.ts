/**
 * Packet types by name, as numbered in the "Binary Packet" part of the Gearman protocol document. Only those that this program sends,
 * receives or may be sent; everything else is not Gearman to us.
 */
export const PACKET = {
  CAN_DO: 1,
  PRE_SLEEP: 4,
  NOOP: 6,
  SUBMIT_JOB: 7,
  JOB_CREATED: 8,
  NO_JOB: 10,
  JOB_ASSIGN: 11,
  WORK_STATUS: 12,
  WORK_COMPLETE: 13,
  WORK_FAIL: 14,
  GET_STATUS: 15,
  ECHO_RES: 17,
  ERROR: 19,
  STATUS_RES: 20,
  SUBMIT_JOB_HIGH: 21,
  SET_CLIENT_ID: 22,
  WORK_EXCEPTION: 25,
  OPTION_RES: 27,
  WORK_DATA: 28,
  WORK_WARNING: 29,
  GRAB_JOB_UNIQ: 30,
  JOB_ASSIGN_UNIQ: 31,
  SUBMIT_JOB_LOW: 33,
  GET_STATUS_UNIQUE: 41,
  STATUS_RES_UNIQUE: 42,
} as const;
export type PacketName = keyof typeof PACKET;
export type PacketType = (typeof PACKET)[PacketName];

interface FieldCount {
  /** Fields that must be there. */
  readonly min: number;
  /** Where splitting stops: the last field keeps its NULs. */
  readonly max: number;
}

const FIELD_COUNTS: Readonly<Record<PacketName, FieldCount>> = {
  CAN_DO: { min: 1, max: 1 }, // function
  PRE_SLEEP: { min: 0, max: 0 },
  NOOP: { min: 0, max: 0 },
  SUBMIT_JOB: { min: 3, max: 3 }, // function, unique, payload
  JOB_CREATED: { min: 1, max: 1 }, // handle
  NO_JOB: { min: 0, max: 0 },
  JOB_ASSIGN: { min: 3, max: 3 }, // handle, function, payload
  WORK_STATUS: { min: 3, max: 3 }, // handle, numerator, denominator
  WORK_COMPLETE: { min: 1, max: 2 }, // handle, data; geard relays a COMPLETE whose sender left the NUL away
  WORK_FAIL: { min: 1, max: 2 }, // handle; both servers relay whatever a worker put behind it
  GET_STATUS: { min: 1, max: 1 }, // handle
  ECHO_RES: { min: 1, max: 1 }, // anything
  ERROR: { min: 2, max: 2 }, // code, text
  STATUS_RES: { min: 5, max: 5 }, // handle, known, running, numerator, denominator
  SUBMIT_JOB_HIGH: { min: 3, max: 3 },
  SET_CLIENT_ID: { min: 1, max: 1 },
  WORK_EXCEPTION: { min: 1, max: 2 }, // handle, data
  OPTION_RES: { min: 1, max: 1 },
  WORK_DATA: { min: 1, max: 2 }, // handle, data
  WORK_WARNING: { min: 1, max: 2 }, // handle, data
  GRAB_JOB_UNIQ: { min: 0, max: 0 },
  JOB_ASSIGN_UNIQ: { min: 4, max: 4 }, // handle, function, unique, payload
  SUBMIT_JOB_LOW: { min: 3, max: 3 },
  GET_STATUS_UNIQUE: { min: 1, max: 1 }, // unique
  STATUS_RES_UNIQUE: { min: 6, max: 6 }, // unique, known, running, numerator, denominator, number of clients
};

/** Names and field counts by type number, for the hot paths and for messages. */
const NAME_BY_TYPE: (PacketName | undefined)[] = [];
const COUNT_BY_TYPE: (FieldCount | undefined)[] = [];
for (const name of Object.keys(PACKET) as PacketName[]) {
  NAME_BY_TYPE[PACKET[name]] = name;
  COUNT_BY_TYPE[PACKET[name]] = FIELD_COUNTS[name];
}

/** The packet's name for messages; an unknown type as its number. */
export function renderPacketName(type: number): string {
  return NAME_BY_TYPE[type] ?? `type ${type}`;
}

/** How many fields a packet of this type has; undefined for a type we do not know. */
export function fieldCountOf(type: number): FieldCount | undefined {
  return COUNT_BY_TYPE[type];
}
