/** DescribeNetworkInterfaceAttribute. */
import type {
  DescribeNetworkInterfaceAttributeResult,
  NetworkInterface,
  NetworkInterfaceAttribute,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { findNics } from '../networks/network-interfaces.ts'
import { readAction } from '../read.ts'
import { attributeSchema, idSchema } from '../schemas.ts'
import { networkInterfaceView } from '../views/network-interface.ts'

const ATTRIBUTES: Readonly<
  Record<
    NetworkInterfaceAttribute,
    (nic: NetworkInterface) => DescribeNetworkInterfaceAttributeResult
  >
> = {
  description: (nic) => ({ Description: { Value: nic.Description } }),
  groupSet: (nic) => ({ Groups: nic.Groups }),
  sourceDestCheck: (nic) => ({ SourceDestCheck: { Value: nic.SourceDestCheck } }),
  attachment: (nic) => ({ Attachment: nic.Attachment }),
  associatePublicIpAddress: () => ({ AssociatePublicIpAddress: false }),
}

/** One attribute of a NIC. */
export const describeNetworkInterfaceAttribute = readAction({
  name: 'DescribeNetworkInterfaceAttribute',
  input: z.strictObject({
    NetworkInterfaceId: idSchema('eni', 'InvalidNetworkInterfaceId.Malformed'),
    Attribute: attributeSchema(Object.keys(ATTRIBUTES) as NetworkInterfaceAttribute[]),
  }),
  async answer({ NetworkInterfaceId: id, Attribute }, { account, read, settings }) {
    const [found] = await read((tx) => findNics(tx, account, [id]))
    const view = found === undefined ? {} : networkInterfaceView(found, settings)
    return { NetworkInterfaceId: id, ...ATTRIBUTES[Attribute](view) }
  },
})
