/**
 * What QEMU says of a migration, and the commands that both sides need
 * (https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, "query-migrate"). The state is
 * polled, so that a daemon needs nothing that an earlier one has seen.
 */
import { z } from 'zod'
import { unavailable } from '../../model/errors.ts'
import type { Qmp } from '../qmp.ts'

/** QEMU's names of what a migration uses: the job and node of the disk, and both connections. */
export const LIVE = { job: 'move', node: 'move-target', disk: 'move-disk', memory: 'move-memory' }
/** The node of the machine's own disk (`machine.ts`). */
export const ROOT = 'root'

type Asks = Pick<Qmp, 'execute'>

const migrationSchema = z.object({
  status: z.string().default('none'),
  ram: z.object({ transferred: z.number(), remaining: z.number(), total: z.number() }).optional(),
  'error-desc': z.string().max(1000).optional(),
})

/** The last migration of this process. `none`: there was none. */
export async function migration(qmp: Asks) {
  return migrationSchema.parse(await qmp.execute('query-migrate'))
}

const statusSchema = z.object({ status: z.string() })

/** The state of the machine, in QEMU's words ("RunState"). */
export async function runState(qmp: Asks): Promise<string> {
  return statusSchema.parse(await qmp.execute('query-status')).status
}

/** States in which a machine is between two hosts, and does not go on by itself. */
export function isSuspended(state: string): boolean {
  return SUSPENDED.has(state)
}
const SUSPENDED = new Set(['inmigrate', 'paused', 'finish-migrate', 'postmigrate'])

const nodesSchema = z.array(
  z.object({
    'node-name': z.string().optional(),
    image: z.object({ 'virtual-size': z.int().positive() }),
  }),
)

/** The size of the machine's disk in bytes, as the guest sees it. */
export async function diskBytes(qmp: Asks): Promise<number> {
  const nodes = nodesSchema.parse(await qmp.execute('query-named-block-nodes', { flat: true }))
  const root = nodes.find((node) => node['node-name'] === ROOT)
  if (root === undefined) throw unavailable('the machine has no disk that could be copied')
  return root.image['virtual-size']
}
