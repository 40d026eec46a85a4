/** VPCs and subnets that come into being. */
import type { Cidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { Subnet, Vpc } from '../../model/records.ts'
import { freeNetwork } from '../../plan/free-network.ts'
import { newNetwork } from '../../plan/new-network.ts'
import { insertWholeVpc } from '../../store/new-vpc.ts'
import type { Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import type { Changing } from '../change.ts'
import { zoneNames } from '../zone-names.ts'
import { refuseUnrouted } from './routing.ts'
import { requireWhole } from './vpcs.ts'

/**
 * Makes a VPC with what each comes with. Errors: `VpcLimitExceeded`; `CidrConflict` when the range
 * cannot be used; `OperationNotPermitted` beside an older host.
 */
export async function makeVpc(
  tx: Tx,
  asked: { readonly cidr: Cidr } & Pick<Vpc, 'isDefault' | 'dnsHostnames'>,
  { account, newId, settings }: Pick<Changing, 'account' | 'newId' | 'settings'>,
): Promise<Vpc> {
  // There the new VPC would have a way out.
  await refuseUnrouted(tx, settings)
  await tx.takeTurn(account)
  const { quotas, vpcPlace: place, host: self, pools } = settings
  const known = await tx.vpcNumbers()
  if (known.filter((vpc) => vpc.account === account).length >= quotas.vpcs)
    throw refused('VpcLimitExceeded', `The maximum number of VPCs has been reached: ${quotas.vpcs}`)
  // Networks of their own may overlap, so only the numbers of the others count.
  const vpcs = place === 'own' ? [] : await tx.vpcs({})
  requireWhole(tx, 'vpcs')
  const numbers = known.flatMap((vpc) => vpc.numbers)
  const chosen = newNetwork(
    { ...asked, account, place },
    { numbers, vpcs, hosts: await tx.hosts(), self, pools },
  )
  if (chosen.network === undefined) throw refused('CidrConflict', chosen.why)
  const vpc = { ...asked, id: newId('vpc'), account, network: chosen.network, dnsSupport: true }
  if ((await insertWholeVpc(tx, vpc, newId)) === 'exists')
    throw refused('CidrConflict', 'The range is in use; choose another one')
  return vpc
}

/**
 * Makes an account's default VPC, with a default subnet in each zone and a way out. Errors: those
 * of `makeVpc`.
 */
export async function makeDefaultVpc(
  tx: Tx,
  changing: Pick<Changing, 'account' | 'newId' | 'settings'>,
): Promise<Vpc> {
  const { account, newId, settings } = changing
  const { vpc: cidr, subnet: first } = settings.defaultNetwork
  const zones = await zoneNames(tx, account)
  const vpc = await makeVpc(tx, { cidr, isDefault: true, dnsHostnames: true }, changing)
  const subnets: { readonly cidr: Cidr }[] = []
  for (const zone of [...zones].sort()) {
    const block = freeNetwork(cidr, first, subnets)
    if (block === undefined) break
    const subnet = { id: newId('subnet'), vpc: vpc.id, account, cidr: block, zone }
    await tx.insertSubnet({ ...subnet, isDefault: true, mapPublicIp: false })
    subnets.push(subnet)
  }
  return vpc
}

/**
 * Inserts a subnet beside the others of its VPC. Errors: `SubnetLimitExceeded`, and
 * `InvalidSubnet.Conflict` where somebody was faster.
 */
export async function insertNewSubnet(
  tx: Tx,
  subnet: Subnet,
  others: readonly Subnet[],
  { quotas }: Pick<ApiSettings, 'quotas'>,
): Promise<void> {
  requireWhole(tx, 'subnets')
  if (others.length >= quotas.subnetsPerVpc)
    throw refused(
      'SubnetLimitExceeded',
      `The maximum number of subnets of a VPC has been reached: ${quotas.subnetsPerVpc}`,
    )
  if ((await tx.insertSubnet(subnet)) === 'exists')
    throw refused('InvalidSubnet.Conflict', 'The CIDR conflicts with another subnet')
}
