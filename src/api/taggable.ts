/** Resources that can have tags: the account's resources of all kinds, by id. */

import { refused } from '../model/errors.ts'
import { type AccountId, type HostName, type IdPrefix, parseId } from '../model/ids.ts'
import type { ReadTx } from '../store/store.ts'
import { missingTemplates } from './instances/launch-templates.ts'
import { missingPlacementGroups } from './instances/placement-groups.ts'
import { allocated, missingAllocations } from './networks/addresses.ts'
import { missingDhcpOptions, ownDhcpOptions } from './networks/dhcp-options.ts'
import { missingFlowLogs } from './networks/flow-logs.ts'
import { missingPeerings } from './networks/peerings.ts'
import { missingPrefixLists } from './networks/prefix-lists.ts'
import {
  missingInternetGateways,
  missingNatGateways,
  missingNetworkAcls,
  missingRouteTables,
} from './networks/routing.ts'
import { missingImages, missingVolumes, notFound } from './schemas.ts'

export interface Taggable {
  readonly id: string
  /** EC2's `ResourceType`. */
  readonly type: string
  /** The host of the resource, if it has one. */
  readonly host?: HostName
}

/**
 * A kind of resource: EC2's name, the refusal when one does not exist, and how to list them: those
 * with these ids, or all where there cannot be many.
 */
interface Kind {
  readonly type: string
  readonly missing: (ids: readonly string[]) => Error
  readonly list: (
    tx: ReadTx,
    account: AccountId,
    ids: readonly never[],
  ) => Promise<readonly { readonly id: string; readonly host?: HostName }[]>
}

const KINDS: Partial<Readonly<Record<IdPrefix, Kind>>> = {
  i: {
    type: 'instance',
    missing: (ids) => notFound('InvalidInstanceID.NotFound', 'instance ID', ids),
    list: (tx, account, ids) => tx.instances({ account, ids }),
  },
  ami: {
    type: 'image',
    missing: missingImages,
    // An image belongs to no host. Its `host` only inspected it.
    list: async (tx, account, ids) =>
      (await tx.images({ account, ids }))
        .filter(({ state }) => state !== 'deregistered')
        .map(({ id }) => ({ id })),
  },
  vpc: {
    type: 'vpc',
    missing: (ids) => notFound('InvalidVpcID.NotFound', 'vpc ID', ids),
    list: (tx, account) => tx.vpcs({ account }),
  },
  subnet: {
    type: 'subnet',
    missing: (ids) => notFound('InvalidSubnetID.NotFound', 'subnet ID', ids),
    list: (tx, account, ids) => tx.subnets({ account, ids }),
  },
  sg: {
    type: 'security-group',
    missing: (ids) => notFound('InvalidGroup.NotFound', 'security group', ids),
    list: (tx, account, ids) => tx.groups({ account, ids }),
  },
  vol: {
    type: 'volume',
    missing: missingVolumes,
    // Its host does not use its tags.
    list: async (tx, account, ids) =>
      (await tx.volumes({ account, ids })).map(({ id }) => ({ id })),
  },
  eni: {
    type: 'network-interface',
    missing: (ids) => notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface ID', ids),
    list: async (tx, account, ids) => (await tx.nics({ account, ids })).map(({ id }) => ({ id })),
  },
  igw: {
    type: 'internet-gateway',
    missing: missingInternetGateways,
    list: (tx, account) => tx.internetGateways({ account }),
  },
  rtb: {
    type: 'route-table',
    missing: missingRouteTables,
    list: (tx, account) => tx.routeTables({ account }),
  },
  acl: {
    type: 'network-acl',
    missing: missingNetworkAcls,
    list: (tx, account) => tx.networkAcls({ account }),
  },
  nat: {
    type: 'natgateway',
    missing: missingNatGateways,
    list: async (tx, account) => (await tx.natGateways({ account })).map(({ id }) => ({ id })),
  },
  dopt: {
    type: 'dhcp-options',
    missing: (ids) => missingDhcpOptions(ids),
    list: async (tx, account) => [
      ...(await ownDhcpOptions(tx, account)).map((id) => ({ id })),
      ...(await tx.dhcpOptions({ account })).map(({ id }) => ({ id })),
    ],
  },
  sgr: {
    type: 'security-group-rule',
    missing: (ids) =>
      notFound('InvalidSecurityGroupRuleId.NotFound', 'security group rule ID', ids),
    list: async (tx, account) => (await tx.groupRules({ account })).map(({ id }) => ({ id })),
  },
  pl: {
    type: 'prefix-list',
    missing: missingPrefixLists,
    list: (tx, account, ids) => tx.prefixLists({ account, ids }),
  },
  eipalloc: {
    type: 'elastic-ip',
    missing: missingAllocations,
    list: async (tx, account) => (await allocated(tx, account)).map(({ id }) => ({ id })),
  },
  lt: {
    type: 'launch-template',
    missing: missingTemplates,
    list: async (tx, account) => (await tx.launchTemplates({ account })).map(({ id }) => ({ id })),
  },
  pg: {
    type: 'placement-group',
    missing: missingPlacementGroups,
    list: async (tx, account) => (await tx.placementGroups({ account })).map(({ id }) => ({ id })),
  },
  fl: {
    type: 'vpc-flow-log',
    missing: missingFlowLogs,
    list: async (tx, account) => (await tx.flowLogs({ account })).map(({ id }) => ({ id })),
  },
  pcx: {
    type: 'vpc-peering-connection',
    missing: missingPeerings,
    list: async (tx, account) => (await tx.vpcPeerings({ account })).map(({ id }) => ({ id })),
  },
  key: {
    type: 'key-pair',
    missing: (ids) => notFound('InvalidKeyPair.NotFound', 'key pair', ids),
    list: (tx, account) => tx.keyPairs({ account }),
  },
}

/**
 * The resources with these ids. Refuses the first id that is malformed (`InvalidID`) or does not
 * exist (its kind's code).
 */
export async function findTaggable(
  tx: ReadTx,
  account: AccountId,
  ids: readonly string[],
): Promise<readonly Taggable[]> {
  const byKind = Map.groupBy(ids, kindOf)
  const found: Taggable[] = []
  for (const [kind, wanted] of byKind) {
    // Their prefix says that they are of this kind.
    const listed = await kind.list(tx, account, wanted as readonly string[] as readonly never[])
    const existing = new Map(listed.map((one) => [one.id, one]))
    for (const id of wanted) {
      const one = existing.get(id)
      if (one === undefined) throw kind.missing([id])
      found.push({ id, type: kind.type, ...(one.host === undefined ? {} : { host: one.host }) })
    }
  }
  return found
}

function kindOf(id: string): Kind {
  for (const [prefix, kind] of Object.entries(KINDS))
    if (kind !== undefined && parseId(prefix as IdPrefix, id) !== undefined) return kind
  throw refused('InvalidID', `The ID '${id.slice(0, 64)}' is not valid`)
}
