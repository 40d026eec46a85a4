/** AssignPrivateIpAddresses: gives a NIC further addresses, also on a running instance. */
import { z } from 'zod'
import type { Ipv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import { addressesOfNic } from '../../model/nics.ts'
import type { Nic } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { freeAddresses } from '../launch/free-addresses.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import { clearAddresses } from '../networks/addresses.ts'
import {
  addressInUse,
  nicIdSchema,
  refuseNicsForOlderHosts,
  refuseTooManyAddresses,
  requireNic,
  subnetFull,
} from '../networks/network-interfaces.ts'
import { nothing, requireAddresses } from '../networks/nic-addresses.ts'
import { requireSubnet } from '../networks/vpcs.ts'
import { ipv4Schema, onlySchema, withCode } from '../schemas.ts'

const schema = z
  .strictObject({
    NetworkInterfaceId: nicIdSchema,
    PrivateIpAddresses: z.array(ipv4Schema).max(256).default([]),
    SecondaryPrivateIpAddressCount: z.int().min(0).max(256).default(0),
    AllowReassignment: z.boolean().default(false),
    Ipv4Prefixes: nothing('Ipv4Prefixes: a NIC has addresses, no prefixes'),
    Ipv4PrefixCount: onlySchema(0, 'Ipv4PrefixCount: a NIC has addresses, no prefixes'),
  })
  .refine(
    (asked) => asked.PrivateIpAddresses.length > 0 !== asked.SecondaryPrivateIpAddressCount > 0,
    {
      error: 'Name either PrivateIpAddresses or SecondaryPrivateIpAddressCount',
      ...withCode('InvalidParameterCombination'),
    },
  )
type Asked = z.output<typeof schema>

/**
 * With AllowReassignment, a further address of another NIC of the subnet moves, and the floating IP
 * that leads to it leads nowhere.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssignPrivateIpAddresses.html
 */
export const assignPrivateIpAddresses = changeAction({
  name: 'AssignPrivateIpAddresses',
  input: schema,
  change: assign,
  view: ({ nic, assigned }) => ({
    NetworkInterfaceId: nic.id,
    AssignedPrivateIpAddresses: assigned.map((PrivateIpAddress) => ({ PrivateIpAddress })),
    AssignedIpv4Prefixes: [],
  }),
})

async function assign(tx: Tx, asked: Asked, changing: Changing) {
  const { account, settings } = changing
  await refuseNicsForOlderHosts(tx, settings)
  const nic = await requireNic(tx, account, asked.NetworkInterfaceId)
  const type =
    nic.instance === null ? null : (await requireInstance(tx, account, nic.instance)).type
  const own = addressesOfNic(nic)
  const named = [...new Set(asked.PrivateIpAddresses)]
  const fresh = named.filter((ip) => !own.includes(ip))
  const count = fresh.length + asked.SecondaryPrivateIpAddressCount
  refuseTooManyAddresses(own.length + count, type, settings)
  if (asked.PrivateIpAddresses.length === 0)
    return { nic, assigned: await assignFree(tx, nic, count, changing) }
  const subnet = await requireSubnet(tx, account, nic.subnet)
  if (asked.AllowReassignment) await takeFromOthers(tx, nic, fresh)
  await requireAddresses(tx, subnet, fresh)
  for (const ip of fresh)
    if ((await tx.insertNicAddress(nic, ip)) === 'taken') throw addressInUse(ip)
  return { nic, assigned: named }
}

/** Assigns that many addresses, whichever are free. */
async function assignFree(
  tx: Tx,
  nic: Nic,
  count: number,
  { account, newId, parts }: Changing,
): Promise<readonly Ipv4[]> {
  const subnet = await requireSubnet(tx, account, nic.subnet)
  const { number } = createRandomIds(newId, parts.random)
  const free = freeAddresses(tx, subnet, count, number, [])
  const assigned: Ipv4[] = []
  while (assigned.length < count) {
    const ip = await free.next()
    if (ip === undefined) throw subnetFull(subnet, count)
    if ((await tx.insertNicAddress(nic, ip)) === 'done') assigned.push(ip)
  }
  return assigned
}

/** Takes these addresses from NICs that have them as further ones. */
async function takeFromOthers(tx: Tx, { id, account, subnet }: Nic, ips: readonly Ipv4[]) {
  for (const other of await tx.nics({ account })) {
    if (other.id === id || other.subnet !== subnet) continue
    for (const ip of ips) {
      if (other.ip === ip)
        throw refused(
          'InvalidParameterValue',
          `Address ${ip} is the primary address of '${other.id}' and cannot be reassigned`,
        )
      if (other.secondaryIps?.includes(ip) !== true) continue
      await clearAddresses(tx, { nic: other.id, privateIp: ip })
      await tx.deleteNicAddress(other, ip)
    }
  }
}
