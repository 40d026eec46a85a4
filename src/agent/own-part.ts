/** Reads what only the host of an instance needs to know of it. */
import type { HostName, InstanceId } from '../model/ids.ts'
import { isLeverTag } from '../model/lever.ts'
import type { HostMoves } from '../model/move.ts'
import type { Snapshot } from '../plan/want.ts'
import type { ReadTx } from '../store/store.ts'

/** What only the host of an instance needs to know of it. */
export type OwnPart = Pick<
  Snapshot,
  'instances' | 'tags' | 'levers' | 'volumes' | 'moves' | 'images' | 'keyPairs' | 'profiles'
>

/** Reads it. */
export async function readOwn(tx: ReadTx, self: HostName): Promise<OwnPart> {
  const instances = await tx.instances({ hosts: [self], live: true })
  const moves = await readMoves(tx, self)
  const used = new Set([...instances, ...(moves?.arriving ?? [])].map(({ image }) => image))
  const accounts = new Set(instances.flatMap((one) => (one.keyName === null ? [] : one.account)))
  const profiles = new Set(instances.flatMap(({ options }) => options?.profile?.id ?? []))
  const keyPairs = await Promise.all([...accounts].map((account) => tx.keyPairs({ account })))
  const tags = await tx.tags({ resources: instances.map(({ id }) => id) })
  const pulled = tags.filter(({ key }) => isLeverTag(key)).map((tag) => tag.resource as InstanceId)
  return {
    instances,
    tags,
    levers: pulled.length === 0 ? [] : await tx.levers(pulled),
    volumes: await tx.volumes({ hosts: [self] }),
    ...(moves === null ? {} : { moves }),
    images: await tx.images({ host: self, orIds: [...used] }),
    keyPairs: keyPairs.flat(),
    profiles: profiles.size === 0 ? [] : await tx.profileRoles([...profiles]),
  }
}

/** Null: none has not ended. */
async function readMoves(tx: ReadTx, self: HostName): Promise<HostMoves | null> {
  const moves = await tx.moves({ host: self, unended: true })
  if (moves.length === 0) return null
  const coming = moves.filter(({ to, state }) => to === self && state === 'copying')
  const ids = coming.map(({ instance }) => instance)
  const found = ids.length === 0 ? [] : await tx.instances({ ids, live: true })
  const arriving = found.filter(({ host }) => host !== self)
  const running = coming.flatMap(({ instance, live }) => (live ? instance : []))
  if (running.length === 0) return { moves, arriving }
  const nics = await tx.nics({ instances: running })
  return { moves, arriving, vpcs: [...new Set(nics.map(({ vpc }) => vpc))] }
}
