/** Processor architectures in EC2's words. Pure. */
import type { ArchitectureValues } from '@aws-sdk/client-ec2'

/** EC2's name for an architecture as Docker, Go or the kernel spells it. */
export function architectureView(name: string): ArchitectureValues {
  switch (name) {
    case 'arm64':
    case 'aarch64':
      return 'arm64'
    case 'i386':
    case '386':
    case 'i686':
      return 'i386'
    default:
      return 'x86_64'
  }
}
