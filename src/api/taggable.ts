/**
 * What can be tagged: the account's resources by id, whatever their kind.
 */
import { type ErrorCode, refused } from '../model/errors.ts'
import { type AccountId, type HostName, type IdPrefix, parseId } from '../model/ids.ts'
import type { ReadTx } from '../store/store.ts'
import { notFound } from './schemas.ts'

export interface Taggable {
  readonly id: string
  /** EC2's `ResourceType`. */
  readonly type: string
  /** Where the resource lives, for those that live on a host. */
  readonly host?: HostName
}

/** One kind of resource: EC2's name for it, how to say that there is no such one, and how to list them. */
interface Kind {
  readonly type: string
  readonly missing: ErrorCode
  readonly list: (
    tx: ReadTx,
    account: AccountId,
  ) => Promise<readonly { readonly id: string; readonly host?: HostName }[]>
}

const KINDS: Partial<Readonly<Record<IdPrefix, Kind>>> = {
  i: {
    type: 'instance',
    missing: 'InvalidInstanceID.NotFound',
    list: (tx, account) => tx.instances({ account }),
  },
  ami: {
    type: 'image',
    missing: 'InvalidAMIID.NotFound',
    // An image is the cloud's; its `host` only looked at it first.
    list: async (tx, account) =>
      (await tx.images({ account }))
        .filter(({ state }) => state !== 'deregistered')
        .map(({ id }) => ({ id })),
  },
  vpc: {
    type: 'vpc',
    missing: 'InvalidVpcID.NotFound',
    list: (tx, account) => tx.vpcs({ account }),
  },
  subnet: {
    type: 'subnet',
    missing: 'InvalidSubnetID.NotFound',
    list: (tx, account) => tx.subnets({ account }),
  },
  sg: {
    type: 'security-group',
    missing: 'InvalidGroup.NotFound',
    list: (tx, account) => tx.groups({ account }),
  },
  vol: {
    type: 'volume',
    missing: 'InvalidVolume.NotFound',
    // Its host does nothing by its tags.
    list: async (tx, account) => (await tx.volumes({ account })).map(({ id }) => ({ id })),
  },
  key: {
    type: 'key-pair',
    missing: 'InvalidKeyPair.NotFound',
    list: (tx, account) => tx.keyPairs({ account }),
  },
}

/** The resources with these ids; refuses the first that is no id (`InvalidID`) or does not exist (its kind's code). */
export async function findTaggable(
  tx: ReadTx,
  account: AccountId,
  ids: readonly string[],
): Promise<readonly Taggable[]> {
  const byKind = Map.groupBy(ids, kindOf)
  const found: Taggable[] = []
  for (const [kind, wanted] of byKind) {
    const existing = new Map((await kind.list(tx, account)).map((one) => [one.id, one]))
    for (const id of wanted) {
      const one = existing.get(id)
      if (one === undefined) throw notFound(kind.missing, 'ID', [id])
      found.push({ id, type: kind.type, ...(one.host === undefined ? {} : { host: one.host }) })
    }
  }
  return found
}

function kindOf(id: string): Kind {
  for (const [prefix, kind] of Object.entries(KINDS))
    if (kind !== undefined && parseId(prefix as IdPrefix, id) !== undefined) return kind
  throw refused('InvalidID', `The ID '${id.slice(0, 64)}' is not valid or cannot be tagged`)
}
