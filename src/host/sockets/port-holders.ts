/**
 * Finds programs that listen on the ports of DNS, DHCP and metadata. A web server on all addresses
 * would answer as the metadata service, and a resolver or DHCP server would occupy the port. It
 * uses ss(8), which also shows sockets bound to one link. Those, and sockets on loopback addresses,
 * do not matter.
 */
import { systemRunner } from '../../lib/runner.ts'
import type { Ipv4 } from '../../model/addr.ts'

/** A program that listens on such a port. */
export interface PortHolder {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** `0.0.0.0`, `[::]` and `*` mean all addresses. */
  readonly address: string
  /** Such as `nginx (process 42)`. */
  readonly holder: string
}

const TIMEOUT_MS = 5_000
const WANTED: ReadonlySet<string> = new Set(['TCP 53', 'UDP 53', 'TCP 80', 'UDP 67'])
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '[::]', '*'])

/**
 * Programs on all addresses or on one of `services`, without those that are `ours`. Empty if ss is
 * missing.
 */
export async function readPortHolders(
  services: readonly Ipv4[],
  ours: (pid: number) => boolean,
): Promise<readonly PortHolder[]> {
  const ss = await systemRunner('ss', ['-H', '-tulnp'], { timeoutMs: TIMEOUT_MS }).catch(() => null)
  return parsePortHolders(ss?.stdout ?? '', services, ours)
}

/** The same from the output of `ss -H -tulnp`. Pure. */
export function parsePortHolders(
  text: string,
  services: readonly Ipv4[],
  ours: (pid: number) => boolean,
): readonly PortHolder[] {
  return text.split('\n').flatMap((line) => {
    const [netid, , , , local = '', , users = ''] = line.trim().split(/\s+/)
    const protocol = netid === 'tcp' ? 'TCP' : 'UDP'
    const [, address = '', port = ''] = /^(.*):(\d+)$/.exec(local) ?? []
    if (!WANTED.has(`${protocol} ${port}`)) return []
    if (!EVERYWHERE.has(address) && !services.some((service) => service === address)) return []
    // Processes that share a socket are named together.
    const holders = [...users.matchAll(/\("([^"]*)",pid=(\d+)/g)]
    if (holders.some((one) => ours(Number(one[2])))) return []
    const [, name, pid] = holders[0] ?? []
    const holder = name === undefined ? 'a process elsewhere' : `${name} (process ${pid})`
    return [{ protocol, port: Number(port), address, holder }]
  })
}
