/** What actions on NAT gateways share: their floating IPs, and the NICs that these lead to. */
import type { Ipv4 } from '../../model/addr.ts'
import { type ErrorCode, refused, unavailable } from '../../model/errors.ts'
import type { AccountId, AllocationId, NatGatewayId } from '../../model/ids.ts'
import { poolWith } from '../../model/pools.ts'
import type { Address, Nic, Subnet, Tag, Vpc } from '../../model/records.ts'
import type { NatGateway, NatGatewayAddress } from '../../model/route-table.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import type { Changing } from '../change.ts'
import { freeAddresses } from '../launch/free-addresses.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import { requireAllocated, serves } from './addresses.ts'
import { refuseNicsForOlderHosts, roomForNics, subnetFull } from './network-interfaces.ts'
import { ANY_ADDRESS, insertNewNic, requireAddresses } from './nic-addresses.ts'
import { requireVpc } from './vpcs.ts'

/** A gateway with everything that a response shows of it. */
export interface NatGatewayDetails {
  readonly gateway: NatGateway
  /** Of its subnet. */
  readonly zone: string
  /** Absent: it has none, or somebody has removed it from the records. */
  readonly nic?: Nic | undefined
  /** The floating IP; absent in the same way. */
  readonly address?: Address | undefined
  readonly tags: readonly Tag[]
}

/** What a response shows of these gateways of the account. */
export async function detailsOfNatGateways(
  tx: ReadTx,
  account: AccountId,
  gateways: readonly NatGateway[],
): Promise<readonly NatGatewayDetails[]> {
  const ids = gateways.flatMap(({ address }) => address?.nic ?? [])
  const nics = ids.length === 0 ? [] : await tx.nics({ account, ids })
  const addresses = ids.length === 0 ? [] : await tx.addresses({ account, nics: ids })
  const zones = new Map((await tx.subnets({ account })).map(({ id, zone }) => [id, zone]))
  const resources = gateways.map(({ id }) => id)
  const tagsOf = Map.groupBy(await tx.tags({ account, resources }), ({ resource }) => resource)
  return gateways.map((gateway) => ({
    gateway,
    zone: zones.get(gateway.subnet) ?? '',
    nic: nics.find(({ id }) => id === gateway.address?.nic),
    address: addresses.find(
      ({ association }) => association !== null && association.nic === gateway.address?.nic,
    ),
    tags: tagsOf.get(gateway.id) ?? [],
  }))
}

/** Refuses an address that leads to a NAT gateway, with this code. */
export async function refuseOfNatGateway(
  tx: ReadTx,
  { id, account, association }: Address,
  code: Extract<ErrorCode, 'Resource.AlreadyAssociated' | 'AuthFailure'>,
): Promise<void> {
  const [gateway] =
    association === null ? [] : await tx.natGateways({ account, nics: [association.nic] })
  if (gateway !== undefined)
    throw refused(
      code,
      `resource ${id} is already associated with ${gateway.id}, which has it until it is deleted`,
    )
}

/** Which address a new gateway gets. */
interface AddressOfGateway {
  readonly gateway: NatGatewayId
  readonly subnet: Subnet
  readonly AllocationId: AllocationId
  /** That of the NIC; undefined: any. */
  readonly privateIp: Ipv4 | undefined
}

/**
 * Makes the NIC of a gateway, and lets the floating IP lead to it. Errors:
 * `InvalidAllocationID.NotFound`; `Resource.AlreadyAssociated` when it leads to something;
 * `InvalidParameterCombination` for a pool of other zones; those of `refuseOnSegment` and of a new
 * NIC.
 */
export async function giveAddress(
  tx: Tx,
  { gateway, subnet, AllocationId, privateIp }: AddressOfGateway,
  { account, newId, now, parts, settings }: Changing,
): Promise<NatGatewayAddress> {
  const vpc = await requireVpc(tx, account, subnet.vpc)
  await refuseOnSegment(tx, vpc, settings)
  const address = await requireAllocated(tx, account, { AllocationId })
  if (address.association !== null)
    throw refused(
      'Resource.AlreadyAssociated',
      `resource ${address.id} is already associated with associate-id ${address.association.id}`,
    )
  const pool = poolWith(settings.pools, address.ip)
  if (pool !== undefined && !serves(pool, subnet.zone))
    throw refused(
      'InvalidParameterCombination',
      `The address '${address.id}' is of the pool '${pool.name}', which is not for the zone '${subnet.zone}' of '${subnet.id}'`,
    )
  await refuseNicsForOlderHosts(tx, settings)
  await roomForNics(tx, account, 1, settings)
  if (privateIp !== undefined) await requireAddresses(tx, subnet, [privateIp])
  const draw = createRandomIds(newId, parts.random)
  const draft = {
    ...{ instance: null, deviceIndex: 0, account, vpc: vpc.id, subnet: subnet.id, groups: [] },
    ...{ description: `Interface for NAT Gateway ${gateway}`, createdAt: now },
  }
  const free = freeAddresses(tx, subnet, 1, draw.number, [])
  const nic = await insertNewNic(tx, draft, { ...ANY_ADDRESS, ip: privateIp }, free, draw)
  if (nic === undefined) throw subnetFull(subnet, 1)
  const association = { id: newId('eipassoc'), nic: nic.id, privateIp: nic.ip }
  if ((await tx.associateAddress(address.id, association)) === 'taken')
    throw unavailable('Another address is being associated with the same network interface')
  return { nic: nic.id, ip: address.ip, carrier: null }
}

/**
 * `UnsupportedOperation` where instances of several hosts would have to go out by one of them over
 * a segment that they share with others (mode `direct`). There nothing tells their packets from
 * those that any other machine sends with such a source.
 */
async function refuseOnSegment(
  tx: ReadTx,
  { id, network }: Vpc,
  { fabricMode }: Pick<ApiSettings, 'fabricMode'>,
): Promise<void> {
  if (network !== null || fabricMode === 'vxlan') return
  if ((await tx.hosts()).filter(({ fabricAddress }) => fabricAddress !== null).length < 2) return
  throw refused(
    'UnsupportedOperation',
    `AllocationId: ${id} is in the hosts' own network, where instances go out by another host only with fabric.mode vxlan. Use a VPC that create-vpc makes, or leave AllocationId out`,
  )
}

/** Gives back what a gateway has: its floating IP leads nowhere, and its NIC is gone. */
export async function takeAddress(
  tx: Tx,
  account: AccountId,
  { nic: id }: NatGatewayAddress,
): Promise<void> {
  const [nic] = await tx.nics({ account, ids: [id] })
  // Somebody has written that of an instance.
  if (nic === undefined || nic.instance !== null) return
  for (const address of await tx.addresses({ nics: [id] }))
    await tx.associateAddress(address.id, null)
  await tx.deleteTagsOf(id)
  await tx.deleteNic(nic)
}
