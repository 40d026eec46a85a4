/** Instance types as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { instanceTypeView } from '../../../../src/api/views/instance-type.ts'
import { RUNS, seenBySdk } from '../../../kit/views.ts'

it('is all that a client reads', async () => {
  const types = fc.record({
    name: fc.constantFrom('t3.micro', 'own.24xlarge', 'a-b.c'),
    vcpus: fc.integer({ min: 1, max: 512 }),
    memoryMiB: fc.integer({ min: 64, max: 2 ** 24 }),
    diskGiB: fc.integer({ min: 1, max: 1000 }),
  })
  const architectures = fc.constantFrom('x86_64' as const, 'arm64' as const)
  const speeds = fc.constantFrom(
    { megabits: null, says: 'Shared with the host', bandwidth: {} },
    {
      megabits: 64,
      says: '64 Megabit',
      bandwidth: { BaselineBandwidthInGbps: 0.064, PeakBandwidthInGbps: 0.064 },
    },
    {
      megabits: 12_500,
      says: '12.5 Gigabit',
      bandwidth: { BaselineBandwidthInGbps: 12.5, PeakBandwidthInGbps: 12.5 },
    },
  )
  await fc.assert(
    fc.asyncProperty(types, architectures, speeds, async (type, architecture, speed) => {
      const rate = { types: '*', megabitsPerSecond: speed.megabits, packetsPerSecond: null }
      const view = instanceTypeView(type, architecture, [rate], [])
      const performance = { NetworkPerformance: speed.says }
      expect(await seenBySdk('DescribeInstanceTypes', { InstanceTypes: [view] })).toStrictEqual({
        InstanceTypes: [
          {
            InstanceType: type.name,
            CurrentGeneration: true,
            FreeTierEligible: false,
            SupportedUsageClasses: ['on-demand'],
            SupportedRootDeviceTypes: ['ebs'],
            SupportedVirtualizationTypes: ['hvm'],
            SupportedBootModes: ['legacy-bios'],
            BareMetal: false,
            ProcessorInfo: { SupportedArchitectures: [architecture] },
            VCpuInfo: {
              DefaultVCpus: type.vcpus,
              DefaultCores: type.vcpus,
              DefaultThreadsPerCore: 1,
            },
            MemoryInfo: { SizeInMiB: type.memoryMiB },
            InstanceStorageSupported: false,
            EbsInfo: {
              EbsOptimizedSupport: 'unsupported',
              EncryptionSupport: 'unsupported',
              NvmeSupport: 'unsupported',
            },
            NetworkInfo: {
              ...performance,
              MaximumNetworkInterfaces: 1,
              MaximumNetworkCards: 1,
              DefaultNetworkCardIndex: 0,
              NetworkCards: [
                {
                  ...performance,
                  ...speed.bandwidth,
                  NetworkCardIndex: 0,
                  MaximumNetworkInterfaces: 1,
                },
              ],
              Ipv4AddressesPerInterface: 1,
              Ipv6AddressesPerInterface: 0,
              Ipv6Supported: false,
              EnaSupport: 'unsupported',
              EfaSupported: false,
              EncryptionInTransitSupported: false,
            },
            PlacementGroupInfo: { SupportedStrategies: [] },
            HibernationSupported: false,
            BurstablePerformanceSupported: false,
            DedicatedHostsSupported: false,
            AutoRecoverySupported: false,
            NitroEnclavesSupport: 'unsupported',
            NitroTpmSupport: 'unsupported',
          },
        ],
      })
    }),
    RUNS,
  )
})
