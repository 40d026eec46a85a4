/** This machine's processor in EC2's words. */

/** `x86_64` or `arm64` (EC2 API, ArchitectureValues); Node's own word for anything else. */
export function machineArchitecture(): string {
  return process.arch === 'x64' ? 'x86_64' : process.arch
}
