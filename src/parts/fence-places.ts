/** Where the agent and the process `fence` of one host meet. */

import { below } from '../lib/paths.ts'
import { FENCE_DIRECTORY } from '../model/names.ts'

/** The socket's name in the directory of the process, which it runs in. */
export const FENCE_SOCKET = 'fence.sock'

/** The orders of the agent: without them the process waits. */
export function fenceOrders(runtimeDir: string): string {
  return below(fenceDirectory(runtimeDir), 'orders.json')
}

/** The directory, below the runtime directory. */
export function fenceDirectory(runtimeDir: string): string {
  return below(runtimeDir, FENCE_DIRECTORY)
}
