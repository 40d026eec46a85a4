/** GetConsoleOutput. */
import { z } from 'zod'
import { requireInstance } from '../instances/instances.ts'
import { readAction } from '../read.ts'
import { idSchema, withoutEffect } from '../schemas.ts'

/** How long a host may take to read an instance's console. */
const CONSOLE_TIMEOUT_MS = 5_000

/**
 * Asks the instance's host, which keeps the console for a while after termination. `Output` is
 * base64 of at most 64 KiB of text.
 */
export const getConsoleOutput = readAction({
  name: 'GetConsoleOutput',
  input: z.strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    // The output is always read at the time of the request.
    Latest: withoutEffect(z.boolean().optional()),
  }),
  prepare: ({ InstanceId }, { account, read }) =>
    read((tx) => requireInstance(tx, account, InstanceId)),
  async answer({ id, host }, { ask, signal }) {
    const options = { timeoutMs: CONSOLE_TIMEOUT_MS, signal }
    const { output, at } = await ask(host, 'console', { instance: id }, options)
    return { InstanceId: id, Output: output, Timestamp: new Date(at) }
  },
})
