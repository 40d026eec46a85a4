/** Writing hosts: who lives under a name, decided by conditional statements alone. */
import {
  type ExpressionBuilder,
  type ExpressionWrapper,
  type Kysely,
  type RawBuilder,
  type SqlBool,
  sql,
} from 'kysely'
import type { HostName } from '../../model/ids.ts'
import type { Host } from '../../model/records.ts'
import type { HostLife, Tx } from '../store.ts'
import type { Tables } from '../tables.ts'
import { insertOr } from './insert.ts'
import { volumesGiB } from './volume.ts'

/** Who a host is, and whether it lives. */
export function writeHosts(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Pick<Tx, 'upsertHost' | 'renewLease' | 'setHostState' | 'advanceGeneration'> {
  const updateHost = updaterOf(db)
  const changed = changedAt(nowMs)
  const leaseOf = (ms: number) => sql<number>`${nowMs} + ${ms}`
  return {
    async upsertHost(host, leaseMs) {
      const { name, zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity } = host
      const { lastSeenAt, shortOf } = host
      const life = host.lives?.own ?? null
      const machine = { zone, version, vcpus, memoryMiB, diskGiB, fabricAddress, identity, life }
      const said = { ...machine, lastSeenAt, shortOf, leaseUntilMs: leaseOf(leaseMs) }
      const row = { name, ...said, ...NEW_HOST, changedAtMs: nowMs }
      if ((await insertOr('exists', db, 'hosts', row)) === 'done') return 'done'
      const { numUpdatedRows } = await updateHost(name)
        .where(({ and, eb, exists, not, or, selectFrom }) =>
          or([
            and([eb('identity', '=', identity), or(succession(host.lives, eb, and, nowMs))]),
            eb('identity', 'is', null),
            eb('state', '=', 'forgotten'),
            and([
              eb('identity', '!=', identity),
              eb('leaseUntilMs', '<', nowMs),
              not(
                exists(
                  selectFrom('instances')
                    .select('id')
                    .where('host', '=', name)
                    .where('claimed', '=', 1)
                    .where('state', '!=', 'terminated'),
                ),
              ),
            ]),
          ]),
        )
        .set({
          ...said,
          ...changed,
          state: activeUnlessDraining,
          usedDiskGiB: volumesGiB(db, name),
        })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'taken'
    },
    async renewLease({ name, identity, lives }, leaseMs, said) {
      const { numUpdatedRows } = await updateHost(name)
        .where('state', '!=', 'forgotten')
        .where('identity', '=', identity)
        .$if(lives !== undefined, (update) => update.where('life', '=', lives?.own ?? null))
        .set({ ...said, leaseUntilMs: leaseOf(leaseMs) })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'unknown'
    },
    async setHostState(host, state) {
      const { numUpdatedRows } = await updateHost(host)
        .where('state', '!=', 'forgotten')
        .set({ ...changed, state })
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'unknown'
    },
    async advanceGeneration(host, from) {
      const update = updateHost(host).set(changed)
      const conditional = from === undefined ? update : update.where('generation', '=', from)
      const { numUpdatedRows } = await conditional.executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'changed'
    },
  }
}

/**
 * Whose life a machine of the same identity may go on from: its own, the one that it was in before on the same boot, and one that its disk
 * remembers, once nobody lives it any more.
 */
function succession(
  life: HostLife | undefined,
  eb: ExpressionBuilder<Tables, 'hosts'>,
  and: ExpressionBuilder<Tables, 'hosts'>['and'],
  nowMs: RawBuilder<number>,
): ExpressionWrapper<Tables, 'hosts', SqlBool>[] {
  if (life === undefined) return [and([])]
  const isOver = eb('leaseUntilMs', '<', nowMs)
  const { own, proven, known } = life
  return [
    eb('life', 'is', null),
    eb('life', 'in', [own, ...(proven === null ? [] : [proven])]),
    known === null ? isOver : and([isOver, eb('life', 'in', [own, ...known])]),
  ]
}

/** Begins a change of one host. */
export function updaterOf(db: Kysely<Tables>) {
  return (host: HostName) => db.updateTable('hosts').where('name', '=', host)
}

/** What shows every change to a host's part of the records. */
export function changedAt(nowMs: RawBuilder<number>) {
  return { generation: sql<number>`${sql.ref('generation')} + 1`, changedAtMs: nowMs }
}

/** What a host's row starts with and `upsertHost` then keeps. */
const NEW_HOST = {
  state: 'active',
  usedVcpus: 0,
  usedMemoryMiB: 0,
  usedDiskGiB: 0,
  generation: 1,
} as const

/** A host that was forgotten and comes back is an ordinary one; a draining one goes on draining. */
const activeUnlessDraining = sql<
  Host['state']
>`case when state = 'draining' then 'draining' else 'active' end`
