/** Instances, their states and statuses as a client reads them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { InstanceDetails } from '../../../../src/api/instances/instance-details.ts'
import {
  instanceStatusView,
  instanceView,
  stateChangeView,
} from '../../../../src/api/views/instance.ts'
import type { InstanceOptions } from '../../../../src/model/instance-options.ts'
import type { MetadataOptions } from '../../../../src/model/metadata-options.ts'
import type { Instance, InstanceState, Tag } from '../../../../src/model/records.ts'
import {
  account,
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  volumeRecord,
} from '../../../kit/records.ts'
import { oddText, RUNS, seenBySdk, tagsIfAny } from '../../../kit/views.ts'

const PLACE = { region: 'atoll', dnsZone: 'atoll.internal' }
const TIME = new Date('2026-11-22T08:00:00.000Z')
const ID = 'i-00000000000000070'
const HERE = hostName('here')

const CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
}
const STATES = Object.keys(CODES) as InstanceState[]

const base: Instance = instanceRecord(instanceId(7), HERE)
const whole: InstanceDetails = {
  instance: base,
  nics: [nicRecord(base.id, 1)],
  tags: [],
  groups: new Map([[network.group.id, network.group]]),
  host: hostRecord(HERE),
  image,
  type: { name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 },
  volumes: [],
  addresses: [],
}

const NIC_SEEN = {
  NetworkInterfaceId: 'eni-00000000000000010',
  OwnerId: '000000000001',
  Status: 'in-use',
  InterfaceType: 'interface',
  MacAddress: whole.nics[0]?.mac,
  SubnetId: 'subnet-00000000000000010',
  VpcId: 'vpc-00000000000000010',
  PrivateIpAddress: '172.31.0.4',
  PrivateDnsName: `${ID}.atoll.internal`,
  PrivateIpAddresses: [
    {
      Primary: true,
      PrivateIpAddress: '172.31.0.4',
      PrivateDnsName: `${ID}.atoll.internal`,
    },
  ],
  Ipv6Addresses: [],
  SourceDestCheck: true,
  Operator: { Managed: false },
  Groups: [{ GroupId: 'sg-00000000000000010', GroupName: 'default' }],
  Attachment: {
    AttachmentId: 'eni-attach-00000000000000010',
    AttachTime: TIME,
    DeleteOnTermination: true,
    DeviceIndex: 0,
    NetworkCardIndex: 0,
    Status: 'attached',
  },
}

/** Each part of an instance as the records have it, and what is seen of it. */
interface Part {
  readonly details?: Partial<InstanceDetails>
  readonly instance?: Partial<Instance>
  readonly seen: object
}

const states: readonly Part[] = STATES.map((state) => ({
  instance: { state },
  seen: {
    State: { Code: CODES[state], Name: state },
    ...(state === 'pending' ? { StateReason: { Code: 'pending', Message: 'pending' } } : {}),
  },
}))

const reasons: readonly Part[] = [
  { seen: { StateTransitionReason: '' } },
  {
    instance: {
      transitionReason: 'User initiated (2026-11-22 08:33:27 GMT)',
      stateReason: { code: 'Client.UserInitiatedShutdown', message: '<why> & "how"' },
    },
    seen: {
      StateTransitionReason: 'User initiated (2026-11-22 08:33:27 GMT)',
      StateReason: { Code: 'Client.UserInitiatedShutdown', Message: '<why> & "how"' },
    },
  },
]

const names: readonly Part[] = [
  { seen: { AmiLaunchIndex: 0 } },
  {
    instance: { keyName: 'my <key>', clientToken: 'a token', launchIndex: 41 },
    seen: { KeyName: 'my <key>', ClientToken: 'a token', AmiLaunchIndex: 41 },
  },
]

const metadata: MetadataOptions = {
  tokens: 'required',
  endpoint: 'disabled',
  hopLimit: 2,
  tags: 'disabled',
}
const METADATA_SEEN = { State: 'applied', HttpProtocolIpv6: 'disabled' }
const OLDER_SEEN = {
  ...METADATA_SEEN,
  HttpTokens: 'optional',
  HttpEndpoint: 'enabled',
  HttpPutResponseHopLimit: 64,
  InstanceMetadataTags: 'enabled',
}
const metadatas: readonly Part[] = [
  { seen: { MetadataOptions: OLDER_SEEN } },
  // An older daemon launched it.
  { instance: { metadata: null }, seen: { MetadataOptions: OLDER_SEEN } },
  {
    instance: { metadata },
    seen: {
      MetadataOptions: {
        ...METADATA_SEEN,
        HttpTokens: 'required',
        HttpEndpoint: 'disabled',
        HttpPutResponseHopLimit: 2,
        InstanceMetadataTags: 'disabled',
      },
    },
  },
]

const places: readonly Part[] = [
  {
    seen: {
      Placement: {
        AvailabilityZone: 'atoll-1a',
        AvailabilityZoneId: 'atoll1-az1',
        GroupName: '',
        Tenancy: 'default',
      },
    },
  },
  // Its host was forgotten.
  {
    details: { host: undefined },
    seen: { Placement: { AvailabilityZone: '', GroupName: '', Tenancy: 'default' } },
  },
]

const images: readonly Part[] = [
  { seen: { Architecture: 'x86_64' } },
  { details: { image: undefined }, seen: { Architecture: 'x86_64' } },
  {
    details: { image: { ...image, architecture: 'arm64', location: 'file:///x/disk.raw' } },
    seen: { Architecture: 'arm64', CurrentInstanceBootMode: 'legacy-bios' },
  },
  {
    details: { image: { ...image, location: 'file:///x/disk.qcow2#firmware=uefi' } },
    seen: { Architecture: 'x86_64', CurrentInstanceBootMode: 'uefi', BootMode: 'uefi' },
  },
]

const types: readonly Part[] = [
  { seen: { InstanceType: 't3.micro', CpuOptions: { CoreCount: 2, ThreadsPerCore: 1 } } },
  {
    instance: { type: 'gone.large' },
    details: { type: undefined },
    seen: { InstanceType: 'gone.large' },
  },
]

const volumes: readonly Part[] = [
  { seen: { BlockDeviceMappings: [] } },
  {
    details: { volumes: [volumeRecord(1, base, { deleteOnTermination: false })] },
    seen: {
      BlockDeviceMappings: [
        {
          DeviceName: '/dev/sda1',
          Ebs: {
            VolumeId: 'vol-00000000000000010',
            Status: 'attached',
            AttachTime: TIME,
            DeleteOnTermination: false,
          },
        },
      ],
    },
  },
]

const options: InstanceOptions = {
  disableApiTermination: true,
  disableApiStop: true,
  shutdownBehavior: 'terminate',
  monitoring: true,
  ebsOptimized: true,
  autoRecovery: 'default',
  rebootMigration: 'disabled',
  bandwidthWeighting: 'ebs-1',
  hostnameType: 'ip-name',
  resourceNameDnsARecord: false,
  capacityReservation: 'open',
  placementGroup: null,
  profile: null,
  nicDescription: 'the <one> NIC',
}

/** Options and the network show in each other. */
function networkSeen(description: string, hostname: object): object {
  return {
    PrivateIpAddress: '172.31.0.4',
    PrivateDnsName: `${ID}.atoll.internal`,
    PrivateDnsNameOptions: { ...hostname, EnableResourceNameDnsAAAARecord: false },
    SubnetId: 'subnet-00000000000000010',
    VpcId: 'vpc-00000000000000010',
    SourceDestCheck: true,
    SecurityGroups: [{ GroupId: 'sg-00000000000000010', GroupName: 'default' }],
    NetworkInterfaces: [{ ...NIC_SEEN, Description: description }],
  }
}
const PLAIN_SEEN = {
  Monitoring: { State: 'disabled' },
  EbsOptimized: false,
  CapacityReservationSpecification: { CapacityReservationPreference: 'none' },
  MaintenanceOptions: { AutoRecovery: 'disabled' },
}
const RESOURCE_NAME = { HostnameType: 'resource-name', EnableResourceNameDnsARecord: true }
const networks: readonly Part[] = [
  { seen: { ...PLAIN_SEEN, ...networkSeen('', RESOURCE_NAME) } },
  {
    instance: { options },
    seen: {
      Monitoring: { State: 'enabled' },
      EbsOptimized: true,
      CapacityReservationSpecification: { CapacityReservationPreference: 'open' },
      MaintenanceOptions: { AutoRecovery: 'default', RebootMigration: 'disabled' },
      NetworkPerformanceOptions: { BandwidthWeighting: 'ebs-1' },
      ...networkSeen('the <one> NIC', {
        HostnameType: 'ip-name',
        EnableResourceNameDnsARecord: false,
      }),
    },
  },
  // A terminated instance has none.
  {
    details: { nics: [] },
    seen: { ...PLAIN_SEEN, PrivateDnsName: '', NetworkInterfaces: [], SecurityGroups: [] },
  },
]

const CONSTANT_SEEN = {
  InstanceId: ID,
  ImageId: 'ami-00000000000000010',
  LaunchTime: TIME,
  RootDeviceName: '/dev/sda1',
  RootDeviceType: 'ebs',
  EnaSupport: false,
  Hypervisor: 'xen',
  VirtualizationType: 'hvm',
  ProductCodes: [],
  PlatformDetails: 'Linux/UNIX',
  UsageOperation: 'RunInstances',
  HibernationOptions: { Configured: false },
  EnclaveOptions: { Enabled: false },
  Operator: { Managed: false },
  PublicDnsName: '',
}

describe('instanceView', () => {
  it('is all that a client reads, whatever parts come together', async () => {
    const parts = fc.tuple(
      ...[states, reasons, names, metadatas, places, images, types, volumes, networks].map((some) =>
        fc.constantFrom(...some),
      ),
    )
    await fc.assert(
      fc.asyncProperty(parts, fc.array(oddText, { maxLength: 2 }), async (chosen, values) => {
        const tags = values.map((value, index): Tag => {
          return { account, resource: ID, resourceType: 'instance', key: `k${index}`, value }
        })
        const instance = Object.assign({}, base, ...chosen.map((part) => part.instance))
        const details: InstanceDetails = Object.assign(
          { ...whole, tags },
          ...chosen.map((part) => part.details),
          { instance },
        )
        const Instances = [instanceView(details, PLACE)]
        expect(await seenBySdk('RunInstances', { Instances })).toStrictEqual({
          Instances: [
            Object.assign(
              {},
              CONSTANT_SEEN,
              ...chosen.map(({ seen }) => seen),
              tagsIfAny(values.map((Value, index) => ({ Key: `k${index}`, Value }))),
            ),
          ],
        })
      }),
      { numRuns: 100 },
    )
  })
})

describe('stateChangeView', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))(
    'from %s to %s',
    async (from, to) => {
      const StoppingInstances = [stateChangeView({ ...base, state: from }, to)]
      expect(await seenBySdk('StopInstances', { StoppingInstances })).toStrictEqual({
        StoppingInstances: [
          {
            InstanceId: ID,
            PreviousState: { Code: CODES[from], Name: from },
            CurrentState: { Code: CODES[to], Name: to },
          },
        ],
      })
    },
  )
})

describe('instanceStatusView', () => {
  const check = (status: string, reachability?: string) => ({
    Status: status,
    Details: reachability === undefined ? [] : [{ Name: 'reachability', Status: reachability }],
  })

  const SINCE = '2026-11-22T08:33:27.000Z'
  const FOUND = {
    passed: check('ok', 'passed'),
    failed: {
      Status: 'impaired',
      Details: [{ Name: 'reachability', Status: 'failed', ImpairedSince: new Date(SINCE) }],
    },
    unknown: check('insufficient-data', 'insufficient-data'),
  }

  /** What a client reads of the instance's own check and of its host's. */
  function checksOf(
    state: InstanceState,
    { alive, booted, asks }: { alive: boolean; booted: boolean; asks: boolean },
    found: { result: keyof typeof FOUND; bootCount: number } | null,
  ) {
    if (state === 'pending') {
      const both = check('initializing', 'initializing')
      return { InstanceStatus: both, SystemStatus: both }
    }
    if (state !== 'running') {
      return { InstanceStatus: check('not-applicable'), SystemStatus: check('not-applicable') }
    }
    const failed = check('impaired', 'failed')
    const passed = check('ok', 'passed')
    if (!alive) return { InstanceStatus: failed, SystemStatus: failed }
    return {
      InstanceStatus:
        booted && found?.bootCount === 2
          ? FOUND[found.result]
          : booted && !asks
            ? passed
            : check('initializing', 'initializing'),
      SystemStatus: passed,
    }
  }

  it('is all that a client reads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...STATES),
        fc.record({ alive: fc.boolean(), booted: fc.boolean(), asks: fc.boolean() }),
        fc.option(
          fc.record({
            result: fc.constantFrom('passed' as const, 'failed' as const, 'unknown' as const),
            bootCount: fc.constantFrom(1, 2),
          }),
        ),
        fc.constantFrom(...places),
        async (state, when, found, place) => {
          const checked = found === null ? {} : { check: { ...found, since: SINCE } }
          const boots = { bootCount: 2, bootSeen: when.booted ? 2 : 1 }
          const instance = { ...base, state, ...boots, ...checked }
          const ofHost = { isAlive: when.alive, asksInstances: when.asks }
          const details = { ...whole, ...place.details, instance }
          const InstanceStatuses = [instanceStatusView(details, PLACE, ofHost)]
          const known = details.host !== undefined
          expect(await seenBySdk('DescribeInstanceStatus', { InstanceStatuses })).toStrictEqual({
            InstanceStatuses: [
              {
                InstanceId: ID,
                AvailabilityZone: known ? 'atoll-1a' : '',
                ...(known ? { AvailabilityZoneId: 'atoll1-az1' } : {}),
                InstanceState: { Code: CODES[state], Name: state },
                ...checksOf(state, when, found),
                Operator: { Managed: false },
                Events: [],
              },
            ],
          })
        },
      ),
      RUNS,
    )
  })
})
