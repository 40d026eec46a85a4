/** Every filter of instances finds what a client reads, and nothing else. */
import { describe, expect, it } from 'vitest'
import { instanceStatusView, instanceView } from '../../../../src/api/views/instance.ts'
import {
  INSTANCE_FILTERS,
  INSTANCE_STATUS_FILTERS,
  type ListedInstance,
} from '../../../../src/api/views/instance-filters.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { INSTANCE_OPTIONS } from '../../../../src/model/instance-options.ts'
import type { Address } from '../../../../src/model/records.ts'
import {
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../../kit/records.ts'

const PLACE = { region: 'atoll', dnsZone: 'atoll.internal' }
const TIME = new Date('2026-11-22T08:00:00.000Z')
const instance = {
  ...instanceRecord(instanceId(7), hostName('here')),
  keyName: 'mine',
  clientToken: 'token',
  launchIndex: 4,
  transitionReason: 'User initiated',
  stateReason: { code: 'Client.X', message: 'because' },
  options: { ...INSTANCE_OPTIONS, nicDescription: 'the NIC' },
}
const nic = nicRecord(instance.id, 1)
const address: Address = {
  id: numbered('eipalloc', 1),
  account: instance.account,
  ip: ipv4('203.0.113.9'),
  pool: 'public',
  isAutomatic: false,
  association: { id: numbered('eipassoc', 1), nic: nic.id, privateIp: nic.ip },
  createdAt: '2026-11-22T08:00:00.000Z',
}
const details = {
  instance,
  nics: [nic],
  tags: [],
  groups: new Map([[network.group.id, network.group]]),
  host: hostRecord(hostName('here')),
  image: { ...image, location: 'file:///x/disk.qcow2#firmware=uefi' },
  type: { name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 },
  volumes: [volumeRecord(1, instance)],
  addresses: [address],
}
const listed: ListedInstance = {
  reservation: instance.reservation,
  owner: instance.account,
  view: instanceView(details, PLACE),
  nicTags: [{ Key: 'k', Value: 'v' }],
  allocated: [address],
}

const ID = 'i-00000000000000070'
const NAME = `${ID}.atoll.internal`
const PUBLIC_NAME = 'ec2-203-0-113-9.atoll.internal'

/** By name, what the filter compares with. */
const FOUND: Readonly<Record<string, unknown>> = {
  architecture: 'x86_64',
  'availability-zone': 'atoll-1a',
  'availability-zone-id': 'atoll1-az1',
  'block-device-mapping.attach-time': [TIME],
  'block-device-mapping.delete-on-termination': [true],
  'block-device-mapping.device-name': ['/dev/sda1'],
  'block-device-mapping.status': ['attached'],
  'block-device-mapping.volume-id': ['vol-00000000000000010'],
  'boot-mode': 'uefi',
  'capacity-reservation-specification.capacity-reservation-preference': 'none',
  'client-token': 'token',
  'current-instance-boot-mode': 'uefi',
  'dns-name': PUBLIC_NAME,
  'ebs-optimized': false,
  'ena-support': false,
  'enclave-options.enabled': false,
  'hibernation-options.configured': false,
  hypervisor: 'xen',
  'iam-instance-profile.arn': undefined,
  'iam-instance-profile.id': undefined,
  'image-id': 'ami-00000000000000010',
  'instance-id': ID,
  'instance-state-code': 0,
  'instance-state-name': 'pending',
  'instance-type': 't3.micro',
  'instance.group-id': ['sg-00000000000000010'],
  'instance.group-name': ['default'],
  'key-name': 'mine',
  'launch-index': 4,
  'launch-time': TIME,
  'maintenance-options.auto-recovery': 'disabled',
  'metadata-options.http-endpoint': 'enabled',
  'metadata-options.http-protocol-ipv4': 'enabled',
  'metadata-options.http-protocol-ipv6': 'disabled',
  'metadata-options.http-put-response-hop-limit': 64,
  'metadata-options.http-tokens': 'optional',
  'metadata-options.instance-metadata-tags': 'enabled',
  'metadata-options.state': 'applied',
  'monitoring-state': 'disabled',
  'network-interface.addresses.primary': [true],
  'network-interface.addresses.private-dns-name': [NAME],
  'network-interface.addresses.private-ip-address': ['172.31.0.4'],
  'network-interface.attachment.attach-time': [TIME],
  'network-interface.attachment.attachment-id': ['eni-attach-00000000000000010'],
  'network-interface.attachment.delete-on-termination': [true],
  'network-interface.attachment.device-index': [0],
  'network-interface.attachment.instance-id': ID,
  'network-interface.attachment.instance-owner-id': ['000000000001'],
  'network-interface.association.allocation-id': [address.id],
  'network-interface.association.association-id': [address.association?.id],
  'network-interface.association.ip-owner-id': ['000000000001'],
  'network-interface.association.public-dns-name': [PUBLIC_NAME],
  'network-interface.association.public-ip': ['203.0.113.9'],
  'network-interface.addresses.association.allocation-id': [address.id],
  'network-interface.addresses.association.association-id': [address.association?.id],
  'network-interface.addresses.association.ip-owner-id': ['000000000001'],
  'network-interface.addresses.association.public-dns-name': [PUBLIC_NAME],
  'network-interface.addresses.association.public-ip': ['203.0.113.9'],
  'network-interface.public-dns-name': [PUBLIC_NAME],
  'ip-address': '203.0.113.9',
  'network-interface.attachment.network-card-index': [0],
  'network-interface.attachment.status': ['attached'],
  'network-interface.availability-zone': ['atoll-1a'],
  'network-interface.deny-all-igw-traffic': [false],
  'network-interface.description': ['the NIC'],
  'network-interface.group-id': ['sg-00000000000000010'],
  'network-interface.group-name': ['default'],
  'network-interface.ipv6-native': [false],
  'network-interface.mac-address': [details.nics[0]?.mac],
  'network-interface.network-interface-id': ['eni-00000000000000010'],
  'network-interface.operator.managed': [false],
  'network-interface.owner-id': ['000000000001'],
  'network-interface.private-dns-name': [NAME],
  'network-interface.private-ip-address': ['172.31.0.4'],
  'network-interface.requester-managed': [false],
  'network-interface.source-dest-check': [true],
  'network-interface.status': ['in-use'],
  'network-interface.subnet-id': ['subnet-00000000000000010'],
  'network-interface.tag-key': ['k'],
  'network-interface.tag-value': ['v'],
  'network-interface.vpc-id': ['vpc-00000000000000010'],
  'network-performance-options.bandwidth-weighting': undefined,
  'operator.managed': false,
  'owner-id': '000000000001',
  'placement-group-name': undefined,
  'placement-partition-number': undefined,
  'platform-details': 'Linux/UNIX',
  'private-dns-name': NAME,
  'private-dns-name-options.enable-resource-name-dns-a-record': true,
  'private-dns-name-options.enable-resource-name-dns-aaaa-record': false,
  'private-dns-name-options.hostname-type': 'resource-name',
  'private-ip-address': '172.31.0.4',
  reason: 'User initiated',
  'reservation-id': 'r-00000000000000010',
  'root-device-name': '/dev/sda1',
  'root-device-type': 'ebs',
  'source-dest-check': true,
  'state-reason-code': 'Client.X',
  'state-reason-message': 'because',
  'subnet-id': 'subnet-00000000000000010',
  tenancy: 'default',
  'usage-operation': 'RunInstances',
  'virtualization-type': 'hvm',
  'vpc-id': 'vpc-00000000000000010',
}

const STATUS_FOUND: Readonly<Record<string, unknown>> = {
  'availability-zone': 'atoll-1a',
  'availability-zone-id': 'atoll1-az1',
  'event.code': [],
  'event.description': [],
  'event.instance-event-id': [],
  'event.not-before': [],
  'instance-state-code': 16,
  'instance-state-name': 'running',
  'instance-status.reachability': ['initializing'],
  'instance-status.status': 'initializing',
  'operator.managed': false,
  'system-status.reachability': ['passed'],
  'system-status.status': 'ok',
}

describe('the filters of DescribeInstances', () => {
  it('compare with what is shown', () => {
    const found = Object.entries(INSTANCE_FILTERS).map(([name, read]) => [name, read(listed)])
    expect(Object.fromEntries(found)).toStrictEqual(FOUND)
  })

  it('find nothing of an instance without NICs and disks', () => {
    const bare = instanceView({ ...details, nics: [], volumes: [] }, PLACE)
    const ofNone = Object.entries(INSTANCE_FILTERS)
      .filter(([name]) => /^(?:network-interface|block-device-mapping|instance\.group)/.test(name))
      .filter(([name]) => name !== 'network-interface.attachment.instance-id')
    for (const [name, read] of ofNone)
      expect(read({ ...listed, nicTags: [], allocated: [], view: bare }), name).toStrictEqual([])
  })
})

describe('the filters of DescribeInstanceStatus', () => {
  it('compare with what is shown', () => {
    const running = { ...details, instance: { ...instance, state: 'running' as const } }
    const status = instanceStatusView(running, PLACE, { isAlive: true, asksInstances: true })
    const found = Object.entries(INSTANCE_STATUS_FILTERS).map(([name, read]) => [
      name,
      read(status),
    ])
    expect(Object.fromEntries(found)).toStrictEqual(STATUS_FOUND)
  })
})
