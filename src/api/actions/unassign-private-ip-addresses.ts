/** UnassignPrivateIpAddresses: takes further addresses from a NIC. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { clearAddresses } from '../networks/addresses.ts'
import { nicIdSchema, requireNic } from '../networks/network-interfaces.ts'
import { nothing } from '../networks/nic-addresses.ts'
import { ipv4Schema, required } from '../schemas.ts'

/**
 * A floating IP that leads to such an address leads nowhere then.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UnassignPrivateIpAddresses.html
 */
export const unassignPrivateIpAddresses = changeAction({
  name: 'UnassignPrivateIpAddresses',
  input: z.strictObject({
    NetworkInterfaceId: nicIdSchema,
    PrivateIpAddresses: required(z.array(ipv4Schema).max(256), 'privateIpAddress'),
    Ipv4Prefixes: nothing('Ipv4Prefixes: a NIC has addresses, no prefixes'),
  }),
  async change(tx, { NetworkInterfaceId: id, PrivateIpAddresses }, { account }) {
    const nic = await requireNic(tx, account, id)
    const ips = [...new Set(PrivateIpAddresses)]
    if (ips.includes(nic.ip))
      throw refused(
        'InvalidParameterValue',
        `${nic.ip} is the primary address of the network interface '${id}' and cannot be unassigned`,
      )
    const others = ips.filter((ip) => nic.secondaryIps?.includes(ip) !== true)
    if (others.length > 0)
      throw refused(
        'InvalidParameterValue',
        `Some of [${others.join(', ')}] are not assigned to the network interface '${id}'`,
      )
    for (const ip of ips) {
      await clearAddresses(tx, { nic: id, privateIp: ip })
      await tx.deleteNicAddress(nic, ip)
    }
  },
})
