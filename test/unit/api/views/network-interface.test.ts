/** NICs by themselves as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { networkInterfaceView } from '../../../../src/api/views/network-interface.ts'
import { INSTANCE_OPTIONS } from '../../../../src/model/instance-options.ts'
import type { Tag } from '../../../../src/model/records.ts'
import {
  account,
  hostName,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
} from '../../../kit/records.ts'
import { oddText, RUNS, seenBySdk } from '../../../kit/views.ts'

const instance = instanceRecord(instanceId(7), hostName('here'))
const nic = nicRecord(instance.id, 1)
const ID = 'i-00000000000000070'
const NIC_ID = 'eni-00000000000000010'

it('is all that a client reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      oddText,
      fc.boolean(),
      fc.boolean(),
      fc.array(oddText, { maxLength: 2 }),
      async (nicDescription, isHostKnown, isGroupKnown, values) => {
        const tags = [
          { resource: ID, key: 'of', value: 'the instance' },
          ...values.map((value, index) => ({ resource: NIC_ID, key: `k${index}`, value })),
        ].map((tag): Tag => ({ account, resourceType: 'network-interface', ...tag }))
        const details = {
          nic,
          zone: isHostKnown ? 'atoll-1a' : '',
          instance: { ...instance, options: { ...INSTANCE_OPTIONS, nicDescription } },
          tags,
          groups: new Map(isGroupKnown ? [[numbered('sg', 1), network.group]] : []),
          addresses: [],
        }
        const place = { region: 'atoll', dnsZone: 'atoll.internal' }
        const NetworkInterfaces = [networkInterfaceView(details, place)]
        const name = `${ID}.atoll.internal`
        expect(await seenBySdk('DescribeNetworkInterfaces', { NetworkInterfaces })).toStrictEqual({
          NetworkInterfaces: [
            {
              NetworkInterfaceId: NIC_ID,
              Description: nicDescription,
              OwnerId: '000000000001',
              Status: 'in-use',
              InterfaceType: 'interface',
              MacAddress: nic.mac,
              SubnetId: 'subnet-00000000000000010',
              VpcId: 'vpc-00000000000000010',
              PrivateIpAddress: '172.31.0.4',
              PrivateDnsName: name,
              PrivateIpAddresses: [
                { Primary: true, PrivateIpAddress: '172.31.0.4', PrivateDnsName: name },
              ],
              Ipv6Addresses: [],
              SourceDestCheck: true,
              Operator: { Managed: false },
              Groups: [
                { GroupId: 'sg-00000000000000010', GroupName: isGroupKnown ? 'default' : '' },
              ],
              Attachment: {
                AttachmentId: 'eni-attach-00000000000000010',
                AttachTime: new Date('2026-11-22T08:00:00.000Z'),
                DeleteOnTermination: true,
                DeviceIndex: 0,
                NetworkCardIndex: 0,
                Status: 'attached',
                InstanceId: ID,
                InstanceOwnerId: '000000000001',
              },
              AvailabilityZone: isHostKnown ? 'atoll-1a' : '',
              ...(isHostKnown ? { AvailabilityZoneId: 'atoll1-az1' } : {}),
              RequesterManaged: false,
              TagSet: values.map((Value, index) => ({ Key: `k${index}`, Value })),
            },
          ],
        })
      },
    ),
    RUNS,
  )
})
