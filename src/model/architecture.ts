/** Processor architectures in EC2's words. Pure. */

const NAMES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  amd64: 'x86_64',
  aarch64: 'arm64',
  '386': 'i386',
  i686: 'i386',
  ia32: 'i386',
}

/**
 * EC2's name (EC2 API, ArchitectureValues) for an architecture as Node, Docker, Go or the kernel
 * spells it. What EC2 does not know keeps its name.
 */
export function ec2Architecture(name: string): string {
  return NAMES[name] ?? name
}
