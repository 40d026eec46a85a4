/** CreateNetworkInterface. */
import { z } from 'zod'
import type { Nic } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { freeAddresses } from '../launch/free-addresses.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import {
  chooseGroups,
  detailsOfNics,
  missingNics,
  type NicDetails,
  refuseNicsForOlderHosts,
  refuseTooManyAddresses,
  roomForNics,
  subnetFull,
} from '../networks/network-interfaces.ts'
import {
  addressCount,
  askedAddresses,
  insertNewNic,
  namedAddresses,
  nicAddressShape,
  requireAddresses,
} from '../networks/nic-addresses.ts'
import { refuseTooManyGroups } from '../networks/security-groups.ts'
import { requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'
import {
  idListSchema,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
} from '../schemas.ts'
import { networkInterfaceView } from '../views/network-interface.ts'

const CLIENT_TOKEN_MAX_LENGTH = 64

const schema = z.strictObject({
  SubnetId: subnetIdSchema,
  Description: textSchema.default(''),
  Groups: idListSchema('sg', 'InvalidGroupId.Malformed').default([]),
  ...nicAddressShape(),
  InterfaceType: onlySchema('interface', 'InterfaceType: only interface'),
  EnablePrimaryIpv6: onlySchema(false, 'EnablePrimaryIpv6: no IPv6'),
  TagSpecifications: tagSpecificationsSchema(['network-interface']),
  ClientToken: z
    .string()
    .max(CLIENT_TOKEN_MAX_LENGTH)
    .regex(/^[\x20-\x7e]*$/, 'printable ASCII only')
    .optional(),
})
type Asked = z.output<typeof schema>

/**
 * A NIC that is attached to nothing yet.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html
 */
export const createNetworkInterface = changeAction({
  name: 'CreateNetworkInterface',
  input: schema,
  prepare: (asked, { newId }) => ({ asked, id: newId('eni') }),
  once: ({ asked, id }, { account }) => ({
    token: asked.ClientToken ?? null,
    result: id,
    repeat: (tx, result) => shown(tx, account, result as Nic['id']),
  }),
  change: (tx, { asked, id }, changing) => create(tx, asked, id, changing),
  view: (details, { settings }) => ({
    NetworkInterface: networkInterfaceView(details, settings),
  }),
})

async function create(
  tx: Tx,
  asked: Asked,
  id: Nic['id'],
  { account, newId, now, parts, settings }: Changing,
): Promise<NicDetails> {
  await refuseNicsForOlderHosts(tx, settings)
  const subnet = await requireSubnet(tx, account, asked.SubnetId)
  await tx.takeTurn(account)
  await roomForNics(tx, account, 1, settings)
  const groups = await chooseGroups(tx, subnet, { groupIds: asked.Groups, groupNames: [] })
  refuseTooManyGroups(groups.length, settings)
  const addresses = askedAddresses(asked)
  const count = addressCount(addresses)
  refuseTooManyAddresses(count, null, settings)
  const named = namedAddresses(addresses)
  await requireAddresses(tx, subnet, named)
  const random = createRandomIds(newId, parts.random)
  // Its id is that of the request, which a repeated request finds.
  const draw = {
    ...random,
    id: ((prefix) => (prefix === 'eni' ? id : newId(prefix))) as typeof newId,
  }
  const draft = {
    ...{ instance: null, deviceIndex: 0, account, vpc: subnet.vpc, subnet: subnet.id },
    groups: groups.map((group) => group.id),
    description: asked.Description,
    createdAt: now,
  }
  const free = freeAddresses(tx, subnet, count, draw.number, named)
  const nic = await insertNewNic(tx, draft, addresses, free, draw)
  if (nic === undefined) throw subnetFull(subnet, count)
  await tx.putTags(
    specifiedTags(asked.TagSpecifications, {
      ...{ account, resource: nic.id, resourceType: 'network-interface' },
    }),
  )
  return await shown(tx, account, nic.id)
}

async function shown(tx: ReadTx, account: Nic['account'], id: Nic['id']): Promise<NicDetails> {
  const [details] = await detailsOfNics(tx, account, await tx.nics({ account, ids: [id] }))
  if (details === undefined) throw missingNics([id])
  return details
}
