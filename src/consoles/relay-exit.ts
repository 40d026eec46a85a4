/** How a serial relay says why it ended (`serial-relay.ts`). */
export const RELAY_EXIT = {
  /** Nobody listens: the machine does not run. */
  nobody: 3,
  broken: 4,
} as const
