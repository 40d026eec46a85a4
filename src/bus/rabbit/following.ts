/**
 * The VPCs that this host follows: its queue of bells is bound to the routing key of each.
 *
 * The queue ends with its connection, so all are bound again on the next one. A host that begins to
 * follow a VPC may have missed bells, so it gets one as soon as the broker has confirmed the
 * binding.
 */
import type { Channel } from 'amqplib'
import type { VpcId } from '../../model/ids.ts'
import { BELLS_EXCHANGE, vpcKey } from './names.ts'

/** The queue of bells on one connection. */
export interface BellsQueue {
  readonly channel: Pick<Channel, 'bindQueue' | 'unbindQueue'>
  readonly queue: string
}

export interface Following {
  /** See `Bus.follow`. */
  follow(vpcs: readonly VpcId[]): void
  /** Sets the queue to bind. Null while there is none. Resolves when it is bound. */
  useQueue(queue: BellsQueue | null): Promise<void>
}

/** Follows nothing at first. `bound` is called for each VPC once no bell can be missed. */
export function createFollowing(bound: (vpc: VpcId) => void): Following {
  let followed: ReadonlySet<VpcId> = new Set()
  let bells: BellsQueue | null = null

  async function bind(vpc: VpcId): Promise<void> {
    if (bells === null) return
    await bells.channel.bindQueue(bells.queue, BELLS_EXCHANGE, vpcKey(vpc))
    bound(vpc)
  }

  async function unbind(vpc: VpcId): Promise<void> {
    await bells?.channel.unbindQueue(bells.queue, BELLS_EXCHANGE, vpcKey(vpc))
  }

  return {
    follow(vpcs) {
      const before = followed
      followed = new Set(vpcs)
      const work = [
        ...[...followed.difference(before)].map(bind),
        ...[...before.difference(followed)].map(unbind),
      ]
      // A channel that fails ends its connection, and the next one binds them all.
      for (const one of work) one.catch(() => undefined)
    },
    async useQueue(queue) {
      bells = queue
      if (queue !== null) await Promise.all([...followed].map(bind))
    },
  }
}
