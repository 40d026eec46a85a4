/** Instance types in the SDK's terms, and the filters of DescribeInstanceTypes. Pure. */
import type { _InstanceType, ArchitectureType, InstanceTypeInfo } from '@aws-sdk/client-ec2'
import { type NicRate, nicRateOf, type TypeRate } from '../../model/network-rates.ts'
import { DEFAULT_NIC_LIMITS, nicLimitOf, type TypeNicLimit } from '../../model/nic-limits.ts'
import type { InstanceType } from '../../model/records.ts'
import type { FilterTable } from '../filters.ts'

/** One type, for hosts of this architecture with these rates and limits of NICs. */
export function instanceTypeView(
  type: InstanceType,
  architecture: ArchitectureType,
  rates: readonly TypeRate[],
  limits: readonly TypeNicLimit[] = DEFAULT_NIC_LIMITS,
): InstanceTypeInfo {
  const rate = nicRateOf(type.name, rates)
  const { interfaces, addresses } = nicLimitOf(type.name, limits)
  const performance = { NetworkPerformance: networkPerformance(rate) }
  return {
    // The cloud's own names. The SDK's union lists Amazon's.
    InstanceType: type.name as _InstanceType,
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
      MaximumNetworkInterfaces: interfaces,
      MaximumNetworkCards: 1,
      DefaultNetworkCardIndex: 0,
      NetworkCards: [
        {
          NetworkCardIndex: 0,
          ...performance,
          ...bandwidth(rate),
          MaximumNetworkInterfaces: interfaces,
        },
      ],
      Ipv4AddressesPerInterface: addresses,
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
  }
}

/** As EC2 writes it: `5 Gigabit`, `500 Megabit`. */
function networkPerformance({ megabitsPerSecond }: NicRate): string {
  if (megabitsPerSecond === null) return 'Shared with the host'
  if (megabitsPerSecond < 1000) return `${megabitsPerSecond} Megabit`
  return `${megabitsPerSecond / 1000} Gigabit`
}

/** The rate is the same at all times. */
function bandwidth({ megabitsPerSecond }: NicRate) {
  if (megabitsPerSecond === null) return {}
  const gbps = megabitsPerSecond / 1000
  return { BaselineBandwidthInGbps: gbps, PeakBandwidthInGbps: gbps }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html,
 * "Filter.N".
 */
export const INSTANCE_TYPE_FILTERS: FilterTable<InstanceTypeInfo> = {
  'auto-recovery-supported': (type) => type.AutoRecoverySupported,
  'bare-metal': (type) => type.BareMetal,
  'burstable-performance-supported': (type) => type.BurstablePerformanceSupported,
  'current-generation': (type) => type.CurrentGeneration,
  'dedicated-hosts-supported': (type) => type.DedicatedHostsSupported,
  'ebs-info.ebs-optimized-support': (type) => type.EbsInfo?.EbsOptimizedSupport,
  'ebs-info.encryption-support': (type) => type.EbsInfo?.EncryptionSupport,
  'ebs-info.nvme-support': (type) => type.EbsInfo?.NvmeSupport,
  'free-tier-eligible': (type) => type.FreeTierEligible,
  'hibernation-supported': (type) => type.HibernationSupported,
  'instance-storage-supported': (type) => type.InstanceStorageSupported,
  'instance-type': (type) => type.InstanceType,
  'memory-info.size-in-mib': (type) => type.MemoryInfo?.SizeInMiB,
  'network-info.efa-supported': (type) => type.NetworkInfo?.EfaSupported,
  'network-info.ena-support': (type) => type.NetworkInfo?.EnaSupport,
  'network-info.ipv4-addresses-per-interface': (type) =>
    type.NetworkInfo?.Ipv4AddressesPerInterface,
  'network-info.encryption-in-transit-supported': (type) =>
    type.NetworkInfo?.EncryptionInTransitSupported,
  'network-info.flexible-ena-queues-support': () => 'unsupported',
  'network-info.ipv6-addresses-per-interface': (type) =>
    type.NetworkInfo?.Ipv6AddressesPerInterface,
  'network-info.ipv6-supported': (type) => type.NetworkInfo?.Ipv6Supported,
  'network-info.maximum-network-cards': (type) => type.NetworkInfo?.MaximumNetworkCards,
  'network-info.network-performance': (type) => type.NetworkInfo?.NetworkPerformance,
  'network-info.maximum-network-interfaces': (type) => type.NetworkInfo?.MaximumNetworkInterfaces,
  'nitro-enclaves-support': (type) => type.NitroEnclavesSupport,
  'nitro-tpm-support': (type) => type.NitroTpmSupport,
  'processor-info.supported-architecture': (type) => type.ProcessorInfo?.SupportedArchitectures,
  'reboot-migration-support': () => 'unsupported',
  'supported-boot-mode': (type) => type.SupportedBootModes,
  'supported-root-device-type': (type) => type.SupportedRootDeviceTypes,
  'supported-usage-class': (type) => type.SupportedUsageClasses,
  'supported-virtualization-type': (type) => type.SupportedVirtualizationTypes,
  'vcpu-info.default-cores': (type) => type.VCpuInfo?.DefaultCores,
  'vcpu-info.default-threads-per-core': (type) => type.VCpuInfo?.DefaultThreadsPerCore,
  'vcpu-info.default-vcpus': (type) => type.VCpuInfo?.DefaultVCpus,
}
