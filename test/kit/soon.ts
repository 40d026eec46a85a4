/**
 * How long `vi.waitFor` and `vi.waitUntil` wait for what takes milliseconds: far longer than their
 * second, for a machine that runs several files of tests at a time.
 */
export const SOON = { timeout: 20_000 } as const
