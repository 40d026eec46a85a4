/** Exit codes of the serial relay (`serial-relay.ts`). */
export const RELAY_EXIT = {
  /** Nothing listens on the socket: the machine does not run. */
  nobody: 3,
  broken: 4,
} as const
