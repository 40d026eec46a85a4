/** Names of processor architectures in EC2. Pure. */

const NAMES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  amd64: 'x86_64',
  aarch64: 'arm64',
  '386': 'i386',
  i686: 'i386',
  ia32: 'i386',
}

/**
 * EC2's name (EC2 API, ArchitectureValues) for an architecture that Node, Docker, Go or the kernel
 * names. A name that EC2 does not know stays unchanged.
 */
export function ec2Architecture(name: string): string {
  return NAMES[name] ?? name
}
